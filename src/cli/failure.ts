// How a command ends when it cannot do its work: a message and an exit code, never a stack trace unless it is asked for.
import { OperatorError } from '../protocol/errors.ts'

export function failureText(error: unknown, debug: boolean): string {
  if (error instanceof OperatorError) return `${error.message.trimEnd()}\n`
  const message = error instanceof Error ? error.message : String(error)
  const detail = error instanceof Error && debug ? `\n${error.stack ?? ''}` : ''
  const advice = debug ? '' : ' Set PORTCULLIS_LOG_LEVEL=debug to see where.'
  return `portcullis: unexpected error: ${message.replace(/\.?$/, '.')}${advice}${detail}\n`
}

export function endWith(error: unknown): never {
  const debug = process.env['PORTCULLIS_LOG_LEVEL'] === 'debug'
  process.stderr.write(failureText(error, debug))
  process.exit(error instanceof OperatorError ? error.exitCode : 70)
}

// How a command ends when it cannot do its work: a message and an exit code, never a stack trace unless it is asked for.
import { OperatorError, StoreUnavailable } from '../protocol/errors.ts'

/** It was opened, and then failed: the error knows what happened, only the configuration where. */
const STORE_REMEDY =
  'store.url and store.directory name it. Make room on the disk, or wait for the server, and start again; restore from a backup what is damaged.'

export function failureText(error: unknown, debug: boolean): string {
  if (error instanceof OperatorError) return `${error.message.trimEnd()}\n`
  if (error instanceof StoreUnavailable && !debug) return `${error.message} ${STORE_REMEDY}\n`
  const message = error instanceof Error ? error.message : String(error)
  const detail = error instanceof Error && debug ? `\n${error.stack ?? ''}` : ''
  const advice = debug ? '' : ' Set PORTCULLIS_LOG_LEVEL=debug to see where.'
  return `portcullis: unexpected error: ${message.replace(/\.?$/, '.')}${advice}${detail}\n`
}

export function endWith(error: unknown): never {
  const debug = process.env['PORTCULLIS_LOG_LEVEL'] === 'debug'
  process.stderr.write(failureText(error, debug))
  process.exit(exitCodeOf(error))
}

function exitCodeOf(error: unknown): number {
  if (error instanceof OperatorError) return error.exitCode
  // sysexits: EX_SOFTWARE is for what is nobody's mistake but ours.
  return error instanceof StoreUnavailable ? 1 : 70
}

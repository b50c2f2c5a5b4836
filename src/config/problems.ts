// What is wrong with a configuration, all of it at once: each problem with its place and its cure, never a stack trace.
import { OperatorError } from '../protocol/errors.ts'
import { describeOrigin, type Origin } from './origins.ts'

export interface Problem {
  /** A file position, a variable or a flag. */
  readonly place: string
  /** The setting, when it is known. */
  readonly setting?: string
  readonly message: string
  readonly remedy?: string
}

export const placeOf = (origin: Origin): string =>
  origin.kind === 'default' ? 'the configuration' : describeOrigin(origin)

/** sysexits: EX_CONFIG. A service manager need not restart us: the file will not get better by itself. */
const EXIT = 78

export function configurationError(problems: readonly Problem[]): OperatorError {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  const lines = problems.map(({ place, setting, message, remedy }) => {
    const head = setting === undefined || setting === place ? place : `${place}  ${setting}`
    return `  ${head}\n    ${[message, remedy].filter((part) => part !== undefined).join(' ')}`
  })
  return new OperatorError(`The configuration cannot be used (${count}):\n\n${lines.join('\n')}\n`, { exitCode: EXIT })
}

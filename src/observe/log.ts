// The operational log: JSON lines on stderr, readable ones on a terminal. Decisions are not here, they are audit's (stdout).
import { type DestinationStream, destination as openDestination, pino } from 'pino'
import type { LogConfig } from '../config/audit.ts'
import { redact, redactText } from './redact.ts'

/** Secrets are taken out of both; `error` in the object becomes message, reason, stack and cause. */
export interface Log {
  debug(object: object, message: string): void
  info(object: object, message: string): void
  warn(object: object, message: string): void
  error(object: object, message: string): void
}

interface Needs {
  readonly level: LogConfig['level']
  /** Where lines go instead of stderr. */
  readonly destination?: DestinationStream
  readonly terminal?: boolean
}

export function createLog({ level, destination, terminal = process.stderr.isTTY === true }: Needs): Log {
  const sink = destination ?? openDestination({ dest: 2, sync: true })
  const out = terminal ? { write: (line: string) => sink.write(`${readableLine(line)}\n`) } : sink
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    out,
  )
  const at = (name: LogConfig['level']) => (object: object, message: string) => {
    if (logger.isLevelEnabled(name)) logger[name]({ ...toFields(object) }, redactText(message))
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** An error handed over bare is the line's error. Our own names (level, time, message) are not a caller's to set. */
function toFields(object: object): object {
  const clean = redact(object instanceof Error ? { error: object } : object)
  if (typeof clean !== 'object' || clean === null) return {}
  const { level, time, message, ...fields }: Record<string, unknown> = { ...clean }
  const displaced = Object.entries({ level, time, message }).filter(([, value]) => value !== undefined)
  return displaced.length === 0 ? fields : { ...fields, fields: Object.fromEntries(displaced) }
}

/** `12:00:00.000 WARN  message key=value …` on one line; the stack of an error is in the JSON form only. */
function readableLine(line: string): string {
  const { level, time, message, ...fields }: Record<string, unknown> = JSON.parse(line)
  const words = Object.entries(fields).map(([name, value]) => `${name}=${readableValue(value)}`)
  return [String(time).slice(11, 23), String(level).toUpperCase().padEnd(5), printable(String(message)), ...words].join(
    ' ',
  )
}

function readableValue(value: unknown): string {
  if (typeof value === 'string' && /^[\w./:@-]+$/.test(value)) return value
  if (typeof value === 'object' && value !== null && 'stack' in value) {
    const { stack: _, ...rest } = value
    return printable(JSON.stringify(rest))
  }
  return printable(JSON.stringify(value))
}

/** Callers' words do not steer the operator's terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones a terminal would obey.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

// What a server says beside its messages, into our log: cut, counted, and without the secrets it was given.
import type { Log } from '../../observe/log.ts'
import type { Clock } from '../../protocol/clock.ts'
import type { Given } from '../upstream.ts'

export type ChannelLog = Pick<Log, 'debug' | 'info' | 'warn'>

const LINE = 500
const READ = 8_192
const LINES_PER_SECOND = 20

/** A flood costs 20 lines a second and a count of the rest. */
export function saidLog(needs: {
  log: ChannelLog
  clock: Clock
  server: string
  /** As they are now. */
  secrets(): readonly string[]
}): (line: string, message: string) => void {
  let second = 0
  let written = 0
  let dropped = 0

  return function writeLine(line, message) {
    const now = Math.floor(needs.clock() / 1000)
    if (now !== second) {
      if (dropped > 0) needs.log.warn({ server: needs.server, lines: dropped }, 'lines of the server left out')
      second = now
      written = 0
      dropped = 0
    }
    if (written >= LINES_PER_SECOND) dropped += 1
    else {
      written += 1
      needs.log.info(
        { server: needs.server, line: maskSecrets(line.slice(0, READ), needs.secrets()).slice(0, LINE) },
        message,
      )
    }
  }
}

/** Short values (`1`, `en`, `true`) are settings, not secrets, and would blank half the text. */
const SHORTEST_SECRET = 6

const maskSecrets = (line: string, secrets: readonly string[]): string =>
  secrets
    .filter((value) => value.length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length)
    .reduce((text, secret) => text.replaceAll(secret, '***'), line)

/** As a server may repeat them: without the scheme, which is a word of HTTP. */
const secretsIn = ({ headers, query }: Given): string[] => [
  ...Object.values(headers).map(withoutScheme),
  ...(query === undefined ? [] : [query.slice(query.indexOf('=') + 1)]),
]

export const withoutScheme = (value: string): string => value.replace(/^(?:bearer|basic|token|apikey) +/i, '')

/** One that was replaced may still be written out by a process that has not ended. */
const REMEMBERED = 16

export function rememberSecrets(): { note(given: Given): void; all(): readonly string[] } {
  const known: string[] = []
  return {
    note(given) {
      known.push(...secretsIn(given).filter((secret) => !known.includes(secret)))
      known.splice(0, known.length - REMEMBERED)
    },
    all: () => known,
  }
}

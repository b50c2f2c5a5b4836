// `portcullis audit tail`: the record as it grows, read from the same store, beside a running gate.
import { readBefore } from '../audit/span.ts'
import { eventText, followRecords } from '../audit/tail.ts'
import { OperatorError } from '../protocol/errors.ts'
import { withStore } from './configuration.ts'
import type { Common } from './options.ts'

export interface TailOptions extends Common {
  readonly lines: string
  readonly follow: boolean
  readonly json: boolean
}

const POLL = 300
/** Enough to tell a line that appears late from one that was there and not asked for. */
const KNOWN = 500

export function tail(options: TailOptions): Promise<void> {
  const count = Number(options.lines)
  if (!Number.isInteger(count) || count < 0) throw new OperatorError('-n: write how many lines, such as -n 20.')
  return withStore(options, async ({ records }, { config }) => {
    if (!config.audit.sink.includes('store'))
      throw new OperatorError('audit.sink does not name `store`, so there is nothing to read here.')
    const onLine = (line: string): void => {
      process.stdout.write(`${options.json ? line : eventText(line)}\n`)
    }
    const onHidden = (until: Date): void => {
      process.stderr.write(`${hiddenText(until)}\n`)
    }
    const signal = signalled()
    const known = await records.newest(KNOWN)
    for await (const { line } of readBefore(records, known[0]?.id ?? '', count - known.length)) {
      if (signal.aborted) return
      onLine(line)
    }
    for (const { line } of known.slice(known.length - Math.min(count, known.length))) onLine(line)
    if (options.follow)
      await followRecords({ log: records, known, onLine, onHidden, signal, poll: POLL, clock: Date.now })
  })
}

const hiddenText = (until: Date): string =>
  `The record goes beyond ${until.toISOString()}, and by the clock of this machine it is ${new Date().toISOString()}. If the gate's clock ` +
  'was set back, what it records now is not shown here before that time has come again; it is in the record.'

function signalled(): AbortSignal {
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort())
  return stopped.signal
}

// What an operator does from the command line is recorded like what is done through a door.
import { eventLine } from '../audit/event-line.ts'
import type { AuditConfig } from '../config/audit.ts'
import { requestIds } from '../http/request-id.ts'
import type { RecordLog } from '../store/record-log.ts'

const nextId = requestIds()

interface Needs {
  readonly records: Pick<RecordLog, 'append'>
  readonly sink: AuditConfig['sink']
  /** Takes one line, without its line feed. */
  readonly print?: (line: string) => void
}

/** Resolves once it is committed: to what `audit.sink` names, as in a running gate. */
export async function recordAct(
  { records, sink, print = printLine }: Needs,
  act: {
    act: string
    reason: string
    subject: string
    email?: string
    family?: string
    name?: string
    digest?: string
    by?: string
  },
): Promise<void> {
  const now = Date.now()
  const id = nextId(now)
  const line = eventLine({ kind: 'act', id, time: new Date(now).toISOString(), decision: 'allow', ...act })
  if (sink.includes('store')) await records.append([{ id, line }])
  if (sink.includes('stdout')) print(line)
}

const printLine = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

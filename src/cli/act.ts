// What an operator does from the command line is recorded like what is done through a door.
import { eventLine } from '../audit/event-line.ts'
import { requestIds } from '../http/request-id.ts'
import type { Store } from '../store/store.ts'

const nextId = requestIds()

/** Resolves once it is committed. */
export async function recordAct(
  { records }: Pick<Store, 'records'>,
  act: { act: string; reason: string; subject: string; email?: string },
): Promise<void> {
  const now = Date.now()
  const id = nextId(now)
  const line = eventLine({ kind: 'act', id, time: new Date(now).toISOString(), decision: 'allow', ...act })
  await records.append([{ id, line }])
}

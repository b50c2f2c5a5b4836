// A server that is there and says nothing any more, as against one whose statement takes its time: asked on a connection of its own.
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { inTime } from '../../protocol/in-time.ts'

/** Milliseconds for a connection with a sign-in and a statement that does nothing. */
const PATIENCE = 3000
const ASK_EVERY = 1000

/** Asks again and again; resolves `true` when there was no answer, `false` when it is told to stop. */
export async function isSilent(url: string, stop: AbortSignal): Promise<boolean> {
  while (!stop.aborted) {
    if (!(await answers(url))) return !stop.aborted
    await sleep(ASK_EVERY, undefined, { signal: stop }).catch(() => undefined)
  }
  return false
}

async function answers(url: string): Promise<boolean> {
  const socket = new Socket()
  const client = new pg.Client({ connectionString: url, stream: () => socket })
  client.on('error', () => undefined)
  const asked = client.connect().then(() => client.query('SELECT 1'))
  // To be refused is an answer, too.
  const answered = asked.then(
    () => true,
    () => true,
  )
  try {
    return await inTime(answered, PATIENCE, false)
  } finally {
    socket.destroy()
  }
}

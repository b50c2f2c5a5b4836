// R2: a refresh token is spent once, whatever number of replicas and callers want it, and wherever a replica is killed while it does.
// The authorization server takes nothing back: a token that comes twice ends all that was given.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { testClock } from '../support/clock.ts'
import { type Connecting, openConnecting } from '../support/connecting.ts'
import { freshDatabase } from '../support/postgres.ts'
import { type GuardedUpstream, startGuardedUpstream } from '../support/upstream-auth.ts'

const PROGRAM = join(import.meta.dirname, '../support/connecting-process.ts')
const KILLS = 20
/** Past any lease, and past the life of the token. */
const LATER = '700s'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface Replica {
  readonly child: ChildProcess
  /** Advances its clock, then calls for the person so many times at once; outcomes by how often. */
  does(act: { advance?: string; person?: string; times?: number }): Promise<Record<string, number>>
  kill(): void
}

interface House {
  readonly upstream: GuardedUpstream
  /** One more replica, in this process. */
  readonly gate: Connecting
  start(ahead?: string): Promise<Replica>
}

async function open(kind: 'sqlite' | 'postgres'): Promise<House> {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-refresh-'))
  closing.push(() => rmSync(directory, { recursive: true, force: true }))
  const database = kind === 'postgres' ? await freshDatabase() : undefined
  if (database !== undefined) closing.push(database.drop)
  const storeUrl = database?.url ?? `sqlite:${join(directory, 'portcullis.db')}`
  const upstream = await startGuardedUpstream({ expiresIn: 600 })
  closing.push(upstream.close)
  const servers = [{ id: 'github', url: upstream.url, credentials: { type: 'oauth' as const } }]
  const gate = await openConnecting({ servers, storeUrl, directory, clock: testClock() })
  closing.push(gate.close)
  return { upstream, gate, start: (ahead = '0s') => startReplica([upstream.url, storeUrl, directory, ahead]) }
}

async function startReplica(words: readonly string[]): Promise<Replica> {
  const child = spawn(process.execPath, [PROGRAM, ...words], { stdio: ['pipe', 'pipe', 'inherit'] })
  closing.push(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })
  await nextLine(lines)
  return {
    child,
    async does(act) {
      child.stdin.write(`${JSON.stringify(act)}\n`)
      return JSON.parse(await nextLine(lines)) as Record<string, number>
    },
    kill: () => void child.kill('SIGKILL'),
  }
}

const nextLine = (lines: Interface): Promise<string> =>
  new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('The replica has ended.'))
    lines.once('close', onClose)
    lines.once('line', (line) => {
      lines.off('close', onClose)
      resolve(line)
    })
  })

const tokenRequests = ({ asked }: GuardedUpstream) =>
  asked.filter(({ path, form }) => path === '/token' && form.get('grant_type') === 'refresh_token').length

describe.each(['sqlite', 'postgres'] as const)('the refresh of one token, %s', (kind) => {
  it('happens once for 300 callers at three replicas', { timeout: 120_000 }, async () => {
    const { upstream, gate, start } = await open(kind)
    await gate.connect('ann', 'github')
    const replicas = await Promise.all([start(), start(), start()])
    // Connections to the store are made one replica after the other: a hundred callers wait for all thirty at once on a busy machine, and
    // nobody waits for the store without end.
    for (const one of replicas) await one.does({ person: 'nobody', times: 20 })
    for (const [round, advance] of ['550s', '551s', '700s', '552s'].entries()) {
      const outcomes = await Promise.all(replicas.map((one) => one.does({ advance, person: 'ann', times: 100 })))
      expect(outcomes).toEqual([{ 'ann@there': 100 }, { 'ann@there': 100 }, { 'ann@there': 100 }])
      expect([upstream.refreshes(), upstream.reuses(), tokenRequests(upstream)]).toEqual([round + 1, 0, round + 1])
    }
  })

  it('killed on its way, costs the person at most one connection, and never begins to repeat', {
    timeout: 400_000,
  }, async () => {
    const { upstream, gate, start } = await open(kind)
    const survivor = await start()
    const ends: string[] = []
    for (let kill = 0; kill <= KILLS; kill++) {
      const person = `person-${kill}`
      await gate.connect(person, 'github')
      const victim = await start()
      // Every other one before the answer is sent, the others somewhere between the answer and the commit, or after it; the last one
      // when its callers have their answers, however slow the machine is.
      const wait = kill % 2 === 0 ? undefined : (kill * 7) % 40
      upstream.options.onRefresh = () => {
        if (kill === KILLS) return
        if (wait === undefined) victim.kill()
        else void pause(wait).then(() => victim.kill())
      }
      const before = { sent: tokenRequests(upstream), reuses: upstream.reuses() }
      await victim.does({ advance: '601s', person, times: 20 }).catch(() => ({}))
      delete upstream.options.onRefresh
      victim.kill()
      const after = await laterCall(survivor, person)
      ends.push(after)
      expect(['connected', 'needs_reauth']).toContain(after)
      const sent = tokenRequests(upstream) - before.sent
      // The one that was killed, and one more try, or the next regular one.
      expect(sent).toBeLessThanOrEqual(2)
      // Whoever calls again and again causes nothing more.
      await survivor.does({ person, times: 20 })
      await survivor.does({ person, times: 20 })
      expect(tokenRequests(upstream) - before.sent).toBe(sent)
      expect(upstream.reuses() - before.reuses).toBeLessThanOrEqual(1)
      if (after === 'needs_reauth') {
        await gate.connect(person, 'github')
        expect(await survivor.does({ person })).toEqual({ [`${person}@there`]: 1 })
      }
    }
    // Both ends were seen: a kill before the answer cannot be mended, one after the commit is none.
    expect(new Set(ends)).toEqual(new Set(['connected', 'needs_reauth']))
  })

  async function laterCall(survivor: Replica, person: string): Promise<string> {
    const outcome = await survivor.does({ advance: LATER, person, times: 20 })
    const [end = '', ...others] = Object.keys(outcome)
    expect(others).toEqual([])
    return end === `${person}@there` ? 'connected' : end
  }
})

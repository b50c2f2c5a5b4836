// kill -9 in the middle of everything: whatever was acknowledged is in the record afterwards, exactly once.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openRecords } from '../store/files/records.ts'

const KILLS = 5
const CONCURRENT = 20

/** Records calls and acts as fast as it can; acknowledges a call after its decision, as a door would answer. */
const CHILD = `
import { writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
const { openRecorder } = await import(${JSON.stringify(new URL('./recorder.ts', import.meta.url).href)})
const { openJournal } = await import(${JSON.stringify(new URL('./journal.ts', import.meta.url).href)})
const { openRecords } = await import(${JSON.stringify(new URL('../store/files/records.ts', import.meta.url).href)})
const [, , folder, directory, round, serve, way] = process.argv
const log = await openRecords({ folder, clock: Date.now })
const common = { log, sink: ['store'], stdout: () => undefined, report: () => undefined }
const recorder =
  way === 'journal'
    ? openJournal({ ...common, journal: log.openJournal(), limit: 1e8 })
    : await openRecorder({ ...common, directory, spoolLimit: 1e8, clock: Date.now })
let count = 0
const event = (kind) => ({
  kind, id: round + '-' + String(++count).padStart(8, '0'), time: new Date().toISOString(), subject: 'u1', server: 's',
  method: 'tools/call', name: 'x', act: 'token_issued', decision: 'allow', reason: 'allowed_by_rule', address: '::1',
})
const nap = new Int32Array(new SharedArrayBuffer(4))
function acknowledge(kind, { id }) {
  for (;;) {
    try {
      return writeSync(1, kind + ' ' + id + '\\n')
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
      // The pipe is full: until the test has read some.
      Atomics.wait(nap, 0, 0, 1)
    }
  }
}
async function calls() {
  for (;;) {
    const decided = event('call')
    const call = await recorder.decide(decided)
    acknowledge('decided', decided)
    await pause(Math.random() * 20)
    recorder.finish(call, decided, { outcome: 'answered', status: 200, latency: 1 })
  }
}
async function acts() {
  for (;;) {
    const done = event('act')
    await recorder.act(done)
    acknowledge('act', done)
  }
}
if (serve === 'restore') {
  await recorder.close()
  await log.close()
} else await Promise.all([acts(), ...Array.from({ length: ${CONCURRENT} }, calls)])
`

let folder: string
let child: ChildProcess | undefined
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kill-'))
  writeFileSync(join(folder, 'child.mjs'), CHILD)
})
afterAll(() => {
  child?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

type Way = 'spool' | 'journal'

function start(way: Way, round: number, mode: 'serve' | 'restore') {
  const args = [join(folder, way), join(folder, `${way}-spool`), `r${round}`, mode, way]
  return spawn(process.execPath, [join(folder, 'child.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

it.each(['spool', 'journal'] as const)(`%s loses nothing acknowledged in ${KILLS} kills`, async (way) => {
  const acknowledged: string[] = []
  for (let round = 0; round < KILLS; round++) {
    const victim = start(way, round, 'serve')
    child = victim
    const killAfter = 200 + Math.floor(Math.random() * 2000)
    let lines = 0
    for await (const line of createInterface({ input: victim.stdout })) {
      acknowledged.push(line)
      if (++lines === killAfter) victim.kill('SIGKILL')
    }
    expect(lines).toBeGreaterThanOrEqual(killAfter)
  }
  const last = start(way, KILLS, 'restore')
  const [code] = await once(last, 'exit')
  expect(code).toBe(0)

  const log = await openRecords({ folder: join(folder, way), clock: Date.now })
  const lines = await log.read('', 1_000_000)
  await log.close()
  const records = new Map(lines.map(({ id, line }) => [id, line]))
  const ids = acknowledged.map((line) => line.split(' ')[1])
  expect(ids.filter((id) => !records.has(id ?? ''))).toEqual([])
  expect(new Set(ids).size).toBe(ids.length)
  for (const [id, line] of records) expect(JSON.parse(line).id).toBe(id)
  if (way === 'spool') expect(readdirSync(join(folder, 'spool-spool'))).toEqual([])
})

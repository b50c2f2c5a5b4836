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
const { openRecords } = await import(${JSON.stringify(new URL('../store/files/records.ts', import.meta.url).href)})
const [, , folder, directory, round, serve] = process.argv
const log = await openRecords({ folder, clock: Date.now })
const recorder = await openRecorder({
  log, directory, sink: ['store'], spoolLimit: 1e8, stdout: () => undefined, clock: Date.now, report: () => undefined,
})
let count = 0
const event = (kind) => ({
  kind, id: round + '-' + String(++count).padStart(8, '0'), time: new Date().toISOString(), subject: 'u1', server: 's',
  method: 'tools/call', name: 'x', act: 'token_issued', decision: 'allow', reason: 'allowed_by_rule', address: '::1',
})
const acknowledge = (kind, { id }) => writeSync(1, kind + ' ' + id + '\\n')
async function calls() {
  for (;;) {
    const decided = event('call')
    const call = await recorder.decide(decided)
    acknowledge('decided', decided)
    await pause(Math.random() * 20)
    recorder.finish(call, { ...decided, outcome: 'answered', status: 200, latency: 1 })
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

function start(round: number, mode: 'serve' | 'restore') {
  const args = [join(folder, 'audit'), join(folder, 'spool'), `r${round}`, mode]
  return spawn(process.execPath, [join(folder, 'child.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

it(`loses nothing acknowledged in ${KILLS} kills`, async () => {
  const acknowledged: string[] = []
  for (let round = 0; round < KILLS; round++) {
    const victim = start(round, 'serve')
    child = victim
    const killAfter = 200 + Math.floor(Math.random() * 2000)
    let lines = 0
    for await (const line of createInterface({ input: victim.stdout })) {
      acknowledged.push(line)
      if (++lines === killAfter) victim.kill('SIGKILL')
    }
    expect(lines).toBeGreaterThanOrEqual(killAfter)
  }
  const last = start(KILLS, 'restore')
  const [code] = await once(last, 'exit')
  expect(code).toBe(0)

  const log = await openRecords({ folder: join(folder, 'audit'), clock: Date.now })
  const lines = await log.read('', 1_000_000)
  await log.close()
  const records = new Map(lines.map(({ id, line }) => [id, line]))
  const ids = acknowledged.map((line) => line.split(' ')[1])
  expect(ids.filter((id) => !records.has(id ?? ''))).toEqual([])
  expect(new Set(ids).size).toBe(ids.length)
  for (const [id, line] of records) expect(JSON.parse(line).id).toBe(id)
  expect(readdirSync(join(folder, 'spool'))).toEqual([])
})

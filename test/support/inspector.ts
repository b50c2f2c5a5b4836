// The official Inspector's command line without a terminal: it prints the address it would open, and a person follows it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Person } from './person.ts'
import { freePort } from './upstream.ts'

export const INSPECTOR = join(import.meta.dirname, '../../node_modules/.bin/mcp-inspector')

export interface InspectorRun {
  readonly code: number | null
  readonly result: {
    readonly tools?: readonly { name: string }[]
    readonly content?: readonly { text?: string }[]
  }
  readonly stderr: string
  /** Addresses it asked a person to open. */
  readonly visits: readonly string[]
}

interface Order {
  readonly url: string
  /** Where it keeps what it stores: runs that share it share a sign-in. */
  readonly folder: string
  readonly args: readonly string[]
  readonly person?: Person
  readonly callback?: string
  /** What is typed at it. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

export async function runInspector({ url, folder, args, person, callback, input, env }: Order): Promise<InspectorRun> {
  const callbackUrl = callback ?? `http://127.0.0.1:${await freePort()}/oauth/callback`
  const words = ['--cli', url, '--transport', 'http', '--format', 'json', '--callback-url', callbackUrl, ...args]
  const child = spawn(process.execPath, [INSPECTOR, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...inspectorEnv(folder), ...(person && { MCP_AUTO_OPEN_ENABLED: 'true' }), ...env },
  })
  child.stdin.end(input)
  const visits: string[] = []
  let [stdout, stderr, journeys] = ['', '', Promise.resolve()]
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk
    const asked = [...stderr.matchAll(/Please navigate to: (\S+)\n/g)].map((match) => match[1] ?? '')
    for (const address of asked.slice(visits.length)) {
      visits.push(address)
      if (person) journeys = journeys.then(() => arrive(person, address))
    }
  })
  const [code] = await once(child, 'close')
  await journeys
  return { code, result: stdout.trim() === '' ? {} : JSON.parse(stdout).result, stderr, visits }
}

/** A home of its own; the browser it would open is the person of the test. */
export const inspectorEnv = (folder: string) => ({
  PATH: process.env['PATH'] ?? '',
  HOME: folder,
  BROWSER: '/bin/true',
  MCP_STORAGE_DIR: folder,
  MCP_INSPECTOR_SECRET_STORE: 'file',
})

/** Through the pages, and then to the address the Inspector listens on. */
async function arrive(person: Person, address: string): Promise<void> {
  const visit = await person.follow(address)
  if (visit.location === undefined)
    throw new Error(`The journey ended at ${visit.url} (${visit.status}):\n${visit.html}`)
  await (await fetch(visit.location)).text()
}

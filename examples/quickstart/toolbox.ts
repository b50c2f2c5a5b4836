// The MCP server of the quickstart, as a process of its own: `node examples/quickstart/toolbox.ts --port 8000`.
// Loading it takes as long as loading the gateway, so the gateway does not load it but starts it beside itself.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export interface Toolbox {
  /** Its Streamable HTTP endpoint, on loopback. */
  readonly url: string
  close(): Promise<void>
}

/** Starts it on a free port. It ends when it is closed, and with the process that started it. */
export async function startToolbox(): Promise<Toolbox> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--until-stdin-ends'], {
    env: {},
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const said = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), exited.then(() => [])])
  const url: unknown = said[0]
  if (typeof url !== 'string') throw new Error('The quickstart server ended before it was ready.')
  return {
    url,
    async close() {
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), 2000)
      await exited
      clearTimeout(timer)
    },
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '0' }, 'until-stdin-ends': { type: 'boolean', default: false } },
  })
  const { listenToolbox } = await import('./toolbox-server.ts')
  console.log(await listenToolbox(Number(values.port)))
  // The pipe closes with the parent, however it ends.
  if (values['until-stdin-ends']) process.stdin.on('end', () => process.exit(0)).resume()
}

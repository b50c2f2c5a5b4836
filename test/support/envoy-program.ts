// Envoy itself, where it is found, with the configuration that we ship: only addresses are others.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from '../prepare.ts'
import { type Envoy, shippedText } from './envoy.ts'
import type { Passed } from './ingress.ts'
import { freePort, stopProcess } from './upstream.ts'

export const findEnvoy = (): string | undefined => process.env['ENVOY'] ?? findProgram('envoy')

/** `most`: bytes of a message that it sends along. */
export async function startRealEnvoy(
  kind: 'http' | 'grpc',
  gate: { readonly http: number; readonly grpc: number },
  host: string,
  most: number,
): Promise<Envoy> {
  const program = findEnvoy()
  if (program === undefined) throw new Error('There is no envoy in the PATH.')
  const passed: Passed[] = []
  const behind = createServer((req, res) => {
    readAll(req).then(
      (body) => {
        passed.push({ method: req.method ?? '', target: req.url ?? '', rawHeaders: req.rawHeaders, body })
        res.end('from the server behind')
      },
      (error: Error) => res.destroy(error),
    )
  })
  behind.listen(0, '127.0.0.1')
  await once(behind, 'listening')
  const port = await freePort()
  const text = [
    ['address: 0.0.0.0, port_value: 10000', `address: 127.0.0.1, port_value: ${port}`],
    ['port_value: 4444', `port_value: ${gate.http}`],
    ['port_value: 4445', `port_value: ${gate.grpc}`],
    ['port_value: 3000', `port_value: ${(behind.address() as AddressInfo).port}`],
    ['domains: [mcp.example.com]', `domains: [${host}]`],
    ['max_request_bytes: 1048576', `max_request_bytes: ${most}`],
  ].reduce((before, [from = '', to = '']) => before.replaceAll(from, to), shippedText(kind))
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-envoy-'))
  writeFileSync(join(folder, 'envoy.yaml'), text)
  const child = spawn(program, ['-c', join(folder, 'envoy.yaml'), '--use-dynamic-base-id', '-l', 'warning'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`envoy ended (${code})`)
  })
  await Promise.race([untilAnswered(port), ended])
  ended.catch(() => undefined)
  return {
    port,
    passed,
    async close() {
      await stopProcess(child)
      behind.closeAllConnections()
      behind.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function untilAnswered(port: number): Promise<void> {
  for (;;) {
    const answers = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    )
    if (answers) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function readAll(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

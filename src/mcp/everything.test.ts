// The official example server of the handshake era behind the door.
import { type ChildProcess, spawn } from 'node:child_process'
import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AROUND, remoteConfig } from '../../test/support/configured.ts'
import { freePort } from '../../test/support/upstream.ts'
import { openRemoteUpstream } from '../upstreams/pool.ts'
import { ACCEPT, startGate, stop } from './endpoint.support.ts'

describe('a real server of the handshake era', () => {
  let everything: ChildProcess
  let real: ReturnType<typeof openRemoteUpstream>
  let second: Awaited<ReturnType<typeof startGate>>
  beforeAll(async () => {
    const port = await freePort()
    everything = spawn(
      process.execPath,
      ['node_modules/@modelcontextprotocol/server-everything/dist/index.js', 'streamableHttp'],
      {
        env: { ...process.env, PORT: String(port) },
        stdio: 'ignore',
      },
    )
    real = openRemoteUpstream(
      remoteConfig({
        id: 'everything',
        url: `http://127.0.0.1:${port}/mcp`,
        requestTimeout: 10_000,
        idleTimeout: 10_000,
        connectTimeout: 10_000,
        connections: 8,
        maxAnswer: 1_000_000,
      }),
      AROUND,
    )
    second = await startGate({ everything: real })
    for (let left = 2000; left > 0; left--) {
      const up = await new Promise<boolean>((resolve) => {
        request({ port, host: '127.0.0.1', path: '/mcp' }, (answer) => resolve(answer.resume() === answer))
          .on('error', () => resolve(false))
          .end()
      })
      if (up) return
      await delay(25)
    }
    throw new Error('server-everything did not start.')
  })
  afterAll(async () => {
    everything.kill()
    await real.close()
    await stop(second.server)
  })

  it('opens a session, lists, calls with progress, and ends it', async () => {
    const at = `http://127.0.0.1:${second.port}/servers/everything/mcp`
    const headers: Record<string, string> = {
      authorization: 'Bearer alice',
      'content-type': 'application/json',
      accept: ACCEPT,
    }
    const ask = (body: unknown) => fetch(at, { method: 'POST', headers, body: JSON.stringify(body) })
    const answers = async (response: Response) =>
      (await response.text())
        .split('\n')
        .filter((line) => line.startsWith('data: {'))
        .map((line) => JSON.parse(line.slice(6)))
    const client = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } }
    const opened = await ask({ jsonrpc: '2.0', id: 0, method: 'initialize', params: client })
    expect(opened.status).toBe(200)
    expect((await answers(opened)).at(-1)?.result.protocolVersion).toBe('2025-06-18')
    headers['mcp-session-id'] = opened.headers.get('mcp-session-id') ?? ''
    headers['mcp-protocol-version'] = '2025-06-18'
    expect((await ask({ jsonrpc: '2.0', method: 'notifications/initialized' })).status).toBe(202)
    second.state.view = 'some'
    expect((await answers(await ask({ jsonrpc: '2.0', id: 1, method: 'tools/list' }))).at(-1)?.result.tools).toEqual([])
    second.state.view = 'all'
    const tools = (await answers(await ask({ jsonrpc: '2.0', id: 1, method: 'tools/list' }))).at(-1)?.result.tools
    expect(tools.map((tool: { name: string }) => tool.name)).toContain('echo')
    const echo = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'echo', arguments: { message: 'hé' } } }
    expect((await answers(await ask(echo))).at(-1)).toMatchObject({
      id: 2,
      result: { content: [{ type: 'text', text: 'Echo: hé' }] },
    })
    const long = {
      name: 'trigger-long-running-operation',
      arguments: { duration: 0.2, steps: 2 },
      _meta: { progressToken: 'p' },
    }
    const progress = await answers(await ask({ jsonrpc: '2.0', id: 3, method: 'tools/call', params: long }))
    expect(progress.map((message) => message.method ?? message.id)).toEqual([
      'notifications/progress',
      'notifications/progress',
      3,
    ])
    expect((await fetch(at, { method: 'DELETE', headers })).status).toBe(200)
    expect((await ask(echo)).status).toBe(404)
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-foreign-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const load = (...servers: readonly object[]) => {
  writeFileSync(
    join(folder, 'portcullis.json'),
    JSON.stringify(
      { servers: servers.map((more, at) => ({ id: `s${at}`, url: 'http://127.0.0.1:9/mcp', ...more })) },
      null,
      2,
    ),
  )
  return loadConfig({ env: {}, cwd: folder, resolveHost: async () => [] })
}

describe('the keys of ContextForge’s virtual servers', () => {
  it('become `auth` of the server', async () => {
    const { config } = await load(
      { id: undefined, name: 'internal-server', auth_mode: 'proxy', proxy_header: 'X-Employee-Id' },
      { auth_mode: 'jwt', jwt_audience: 'external-clients' },
      { auth_mode: 'jwt' },
      {},
    )
    expect(config.servers[0]).toMatchObject({ id: 'internal-server', name: 'internal-server' })
    expect(config.servers.map(({ auth }) => auth)).toEqual([
      {
        tokens: false,
        issuers: [],
        mtls: false,
        proxy: { userHeader: 'X-Employee-Id', groupsSeparator: ',', clockTolerance: 30_000 },
      },
      { proxy: false, mtls: false, audience: 'external-clients' },
      { proxy: false, mtls: false },
      undefined,
    ])
    expect(JSON.stringify(config.servers)).not.toMatch(/auth_mode|proxy_header|jwt_audience/)
  })

  it.each<[string, object, RegExp]>([
    ['a mode that is none', { auth_mode: 'saml' }, /servers\[0\]\.auth_mode[\s\S]*proxy or jwt/],
    ['a header without a mode', { proxy_header: 'X-Employee-Id' }, /servers\[0\]\.proxy_header[\s\S]*auth_mode: proxy/],
    ['an audience of a proxy', { auth_mode: 'proxy', jwt_audience: 'x' }, /servers\[0\]\.jwt_audience/],
    ['a header of a token', { auth_mode: 'jwt', proxy_header: 'X-User' }, /servers\[0\]\.proxy_header/],
    ['beside our own key', { auth_mode: 'jwt', auth: { tokens: true } }, /servers\[0\]\.auth_mode[\s\S]*`auth`/],
    ['a header that is none', { auth_mode: 'proxy', proxy_header: 'X User' }, /userHeader[\s\S]*Not a header name/],
    ['a proxy that nobody described', { auth_mode: 'proxy' }, /servers\[0\]\.auth\.proxy[\s\S]*no auth\.proxy/],
  ])('are refused with their place: %s', async (_what, server, message) => {
    await expect(load(server)).rejects.toThrow(message)
    await expect(load(server)).rejects.toThrow(/portcullis\.json:\d+:\d+/)
  })
})

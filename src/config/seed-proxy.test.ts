// The variables of ContextForge's proxy authentication, taken together.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

type Env = Readonly<Record<string, string>>

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-seed-proxy-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function load(env: Env, file?: object) {
  const path = join(folder, 'settled.json')
  if (file !== undefined) writeFileSync(path, JSON.stringify(file))
  const flags = file === undefined ? {} : { config: path }
  return loadConfig({ env, cwd: folder, flags, resolveHost: async () => [] })
}
const proxyOf = async (env: Env, file?: object) => (await load(env, file)).config.auth.proxy

describe('TRUST_PROXY_AUTH and PROXY_USER_HEADER', () => {
  it('make the proxy together; a header without trust makes none, and is told', async () => {
    expect(await proxyOf({ TRUST_PROXY_AUTH: 'true' })).toMatchObject({ groupsSeparator: ',' })
    const both = { TRUST_PROXY_AUTH: 'true', PROXY_USER_HEADER: 'Remote-User' }
    expect(await proxyOf(both)).toMatchObject({ userHeader: 'Remote-User' })
    for (const env of [{ PROXY_USER_HEADER: 'Remote-User' }, { ...both, TRUST_PROXY_AUTH: 'false' }]) {
      const { config, warnings } = await load(env)
      expect(config.auth.proxy).toBeUndefined()
      expect(warnings.join('\n')).toMatch(/PROXY_USER_HEADER names a header that nobody is trusted to set/)
    }
  })

  it('go over the file, which keeps what they do not say', async () => {
    const file = { auth: { proxy: { preset: 'authelia', groupsHeader: 'Remote-Groups' } } }
    expect(await proxyOf({ PROXY_USER_HEADER: 'Remote-Email' }, file)).toMatchObject({
      preset: 'authelia',
      groupsHeader: 'Remote-Groups',
      userHeader: 'Remote-Email',
    })
    expect(await proxyOf({ TRUST_PROXY_AUTH: 'true' }, file)).toMatchObject({ preset: 'authelia' })
    expect(await proxyOf({ TRUST_PROXY_AUTH: 'false' }, file)).toBeUndefined()
  })

  it('do not make trust of an acknowledgement alone', async () => {
    const { config, warnings } = await load({ TRUST_PROXY_AUTH_DANGEROUSLY: 'true' })
    expect([config.auth.proxy, config.server.trustedProxies]).toEqual([undefined, []])
    expect(warnings.join('\n')).toMatch(/TRUST_PROXY_AUTH_DANGEROUSLY opens nothing further/)
    expect(config.auth.anonymous).toBe(false)
  })

  it('refuse a header that is no name', async () => {
    const env = { TRUST_PROXY_AUTH: 'true', PROXY_USER_HEADER: 'X User' }
    await expect(load(env)).rejects.toThrow(/PROXY_USER_HEADER[\s\S]*Not a header name/)
    await expect(load({ AUTH_HEADER_NAME: 'X:Auth' })).rejects.toThrow(/AUTH_HEADER_NAME[\s\S]*Not a header name/)
    expect((await load({ AUTH_HEADER_NAME: '  X-MCP-Gateway-Auth ' })).config.auth.header).toBe('X-MCP-Gateway-Auth')
  })
})

describe('MCP_CLIENT_AUTH_ENABLED=false', () => {
  it('closes the authorization server, unless people sign in or the file opens it', async () => {
    const doors = async (env: Env, file?: object) => (await load(env, file)).config.doors.oauth
    expect(await doors({ MCP_CLIENT_AUTH_ENABLED: 'true' })).toBe(true)
    expect(await doors({ MCP_CLIENT_AUTH_ENABLED: 'false' })).toBe(false)
    expect(await doors({ MCP_CLIENT_AUTH_ENABLED: 'false', CLIENT_ID: 'gate', CLIENT_SECRET: 'x' })).toBe(true)
    expect(await doors({ MCP_CLIENT_AUTH_ENABLED: 'false' }, { doors: { oauth: true } })).toBe(true)
  })

  it('and AUTH_REQUIRED=false let nobody in by themselves', async () => {
    const { config, warnings } = await load({ MCP_CLIENT_AUTH_ENABLED: 'false', AUTH_REQUIRED: 'false' })
    expect(config.auth).toMatchObject({ anonymous: false, tokens: false })
    expect(config.admin.required).toBe(false)
    expect(warnings.join('\n')).toMatch(/MCP client authentication is disabled but trust_proxy_auth is not set/)
    expect(warnings.join('\n')).toMatch(/AUTH_REQUIRED=false concerns the administration/)
  })
})

describe('values that ask for what holds anyway', () => {
  it('are no matter for a warning', async () => {
    const { warnings } = await load({
      MCP_CLIENT_AUTH_ENABLED: 'true',
      TRUST_PROXY_AUTH: 'false',
      TRUST_PROXY_AUTH_DANGEROUSLY: 'false',
      AUTH_REQUIRED: 'true',
      MCP_REQUIRE_AUTH: 'true',
    })
    expect(warnings).toEqual([expect.stringContaining('allow */* to *')])
  })
})

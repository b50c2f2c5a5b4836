// What other systems write of identity forwarding and header passthrough works as it is, or is refused with what to write.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type LoadedConfig, loadConfig } from './load.ts'

const cwd = mkdtempSync(join(tmpdir(), 'portcullis-forwarding-'))
function load(document: object): Promise<LoadedConfig> {
  writeFileSync(join(cwd, 'portcullis.json'), JSON.stringify(document))
  return loadConfig({ env: {}, cwd })
}
const url = 'https://notes.example.com/mcp'
async function serverOf(more: object) {
  const [named] = (await load({ servers: { notes: { url, ...more } } })).config.servers
  const [listed] = (await load({ servers: [{ id: 'notes', url, ...more }] })).config.servers
  expect(named).toEqual(listed)
  return listed
}

describe('user_identity_forwarding', () => {
  it.each([
    [{ method: 'claims_header' }, { form: 'portkey', headers: true, jwt: false }],
    [{ method: 'jwt_header' }, { form: 'portkey', headers: false, jwt: true }],
    [
      { method: 'claims_header', include_claims: ['scope', 'sub', 'user_id', 'email', 'organisation_id'] },
      { form: 'portkey', headers: true, jwt: false, attributes: ['id', 'email', 'organisation', 'scopes'] },
    ],
  ])('%j', async (written, identity) => {
    expect(await serverOf({ user_identity_forwarding: written })).toMatchObject({ identity })
    const { config } = await load({ servers: [{ id: 'notes', url }], user_identity_forwarding: written })
    expect(config.identityForwarding).toEqual(identity)
  })

  it.each<[string, unknown, RegExp, object?]>([
    ['method: bearer', { method: 'bearer' }, /user_identity_forwarding\.method[\s\S]*goes to no server/],
    ['another method', { method: 'x' }, /Write claims_header or jwt_header/],
    ['a life of its own', { method: 'jwt_header', jwt_expiry_seconds: 300 }, /60 seconds/],
    ['a claim that is not told', { method: 'jwt_header', include_claims: ['phone'] }, /phone is not told here/],
    ['an unknown key', { method: 'jwt_header', header: 'X' }, /no such setting/],
    ['a word', 'jwt_header', /Write \{ method/],
    ['our own beside it', { method: 'jwt_header' }, /keep only one/, { identity: { headers: true } }],
  ])('%s is refused', async (_what, written, said, more = {}) => {
    await expect(load({ servers: [{ id: 'notes', url, user_identity_forwarding: written, ...more }] })).rejects.toThrow(
      said,
    )
  })

  it('beside our own general setting is refused', async () => {
    const both = { user_identity_forwarding: { method: 'jwt_header' }, identityForwarding: { jwt: true } }
    await expect(load({ servers: [{ id: 'notes', url }], ...both })).rejects.toThrow(
      /identityForwarding[\s\S]*keep only one/,
    )
  })
})

describe('forward_headers', () => {
  it.each([
    [['X-Tenant-Id'], ['X-Tenant-Id']],
    [{ mode: 'allowlist', headers: ['X-A', { from: 'X-B', to: 'X-C' }] }, ['X-A', { from: 'X-B', to: 'X-C' }]],
    [{ headers: ['X-A'] }, ['X-A']],
    [{ mode: 'all-except', headers: ['X-A'] }, { allExcept: ['X-A'] }],
  ])('%j', async (written, passthroughHeaders) => {
    expect(await serverOf({ forward_headers: written })).toMatchObject({ passthroughHeaders })
    const { config } = await load({ servers: [{ id: 'notes', url }], forward_headers: written })
    expect(config.passthrough).toMatchObject({ headers: passthroughHeaders })
  })

  it('and passthrough_headers are one list', async () => {
    expect(await serverOf({ forward_headers: ['X-A'], passthrough_headers: ['X-B'] })).toMatchObject({
      passthroughHeaders: ['X-A', 'X-B'],
    })
    expect(await serverOf({ passthrough_headers: ['X-B'] })).toMatchObject({ passthroughHeaders: ['X-B'] })
  })

  it.each([
    ['another mode', { forward_headers: { mode: 'some', headers: [] } }, /allowlist or all-except/],
    ['no list', { forward_headers: 'X-A' }, /Write a list of names/],
    [
      'two that differ in kind',
      { forward_headers: { mode: 'all-except', headers: [] }, passthrough_headers: ['X-A'] },
      /keep only one/,
    ],
    ['our own beside it', { forward_headers: ['X-A'], passthroughHeaders: ['X-B'] }, /keep only one/],
  ])('%s is refused', async (_what, written, said) => {
    await expect(load({ servers: [{ id: 'notes', url, ...written }] })).rejects.toThrow(said)
  })

  it('beside our own general list is refused', async () => {
    const both = { forward_headers: ['X-A'], passthrough: { headers: ['X-B'] } }
    await expect(load({ servers: [{ id: 'notes', url }], ...both })).rejects.toThrow(
      /passthrough\.headers[\s\S]*keep only one/,
    )
  })
})

describe('identity_propagation', () => {
  it.each([
    [
      { enabled: false, mode: 'both' },
      { headers: false, jwt: false, meta: false },
    ],
    [{ enabled: true }, { form: 'contextforge', headers: true, meta: true }],
    [
      {
        enabled: true,
        mode: 'meta',
        headers_prefix: 'X-Who',
        sign_claims: true,
        allowed_attributes: ['groups', 'email'],
      },
      {
        form: 'contextforge',
        headers: false,
        meta: true,
        headerPrefix: 'X-Who',
        jwt: true,
        attributes: ['email', 'groups'],
      },
    ],
  ])('%j', async (written, identity) => {
    expect(await serverOf({ identity_propagation: written })).toMatchObject({ identity })
  })

  it.each([
    ['another mode', { mode: 'x' }, /headers, meta or both/],
    ['an attribute that is not told', { allowed_attributes: ['is_admin'] }, /is_admin is not told here/],
    ['an unknown key', { loud: true }, /no such setting/],
    ['a word', 'yes', /Write \{ enabled/],
  ])('%s is refused', async (_what, written, said) => {
    await expect(load({ servers: [{ id: 'notes', url, identity_propagation: written }] })).rejects.toThrow(said)
  })

  it('beside user_identity_forwarding is refused', async () => {
    const both = { identity_propagation: {}, user_identity_forwarding: { method: 'jwt_header' } }
    await expect(load({ servers: [{ id: 'notes', url, ...both }] })).rejects.toThrow(/keep only one/)
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { authorizationOf, callerOf, credentialNeeds, openWith } from '../../../test/support/credential-needs.ts'
import { type HashicorpVault, startHashicorpVault } from '../../../test/support/hashicorp.ts'
import { ANONYMOUS } from '../../protocol/principal.ts'
import type { Given } from '../upstream.ts'
import { pathFor } from './hashicorp-vault.ts'

let vault: HashicorpVault
beforeAll(async () => {
  vault = await startHashicorpVault()
})
afterAll(() => vault.close())
beforeEach(() => {
  vault.asked.length = 0
  vault.logins.length = 0
  vault.admits = () => true
  vault.down = false
  vault.secrets.clear()
  vault.secrets.set('secret/data/mcp-gateway/ann', { github_pat: 'pat-of-ann' })
  vault.secrets.set('secret/data/mcp-gateway/bob', { github_pat: 'pat-of-bob' })
})

const ANN = callerOf('ann')
const BOB = callerOf('bob')
const REFUSED = { status: 401, challenge: undefined }
const open = (own: object = {}, needs = credentialNeeds()) =>
  openWith(needs, {
    type: 'vault',
    url: vault.url,
    login: { role: 'authorino' },
    path: 'secret/data/mcp-gateway/{identity}',
    field: 'github_pat',
    ...own,
  })

describe('two calls, as Kuadrant documents them', () => {
  it('are made once for a while', async () => {
    const credential = await open()
    expect(authorizationOf(await credential.given(ANN))).toBe('Bearer pat-of-ann')
    expect(credential.given(ANN)).not.toBeInstanceOf(Promise)
    expect(vault.asked).toEqual(['POST /v1/auth/jwt/login', 'GET /v1/secret/data/mcp-gateway/ann'])
    const audience = Buffer.from(vault.url).toString('base64url')
    expect(vault.logins).toEqual([{ role: 'authorino', jwt: `assertion.ann.${audience}` }])
  })

  it('are of each person: nobody is given another’s', async () => {
    const credential = await open()
    const all = await Promise.all([ANN, BOB, ANN, BOB].map((caller) => credential.given(caller)))
    const [ann, bob] = ['Bearer pat-of-ann', 'Bearer pat-of-bob']
    expect(all.map(authorizationOf)).toEqual([ann, bob, ann, bob])
    expect(vault.logins).toHaveLength(2)
  })

  it('go where and as whom it is configured', async () => {
    const caller = callerOf('ann', { token: 'presented-by-ann' })
    const credential = await open({
      login: { role: 'r', mount: 'company', with: 'presented' },
      header: 'X-Pat',
      prefix: '',
    })
    expect(await credential.given(caller)).toEqual({ headers: { 'x-pat': 'pat-of-ann' } })
    expect(vault.asked[0]).toBe('POST /v1/auth/company/login')
    expect(vault.logins[0]).toEqual({ role: 'r', jwt: 'presented-by-ann' })
  })

  it('can do with a token of ours, or of a file', async () => {
    expect(authorizationOf(await (await open({ login: { token: 'hvs.root' } })).given(ANN))).toBe('Bearer pat-of-ann')
    const folder = mkdtempSync(join(tmpdir(), 'portcullis-hashicorp-'))
    const tokenFile = join(folder, 'token')
    writeFileSync(tokenFile, 'hvs.root\n')
    expect(authorizationOf(await (await open({ login: { tokenFile } })).given(ANN))).toBe('Bearer pat-of-ann')
    rmSync(folder, { recursive: true })
    await expect((await open({ login: { tokenFile } })).given(ANN)).rejects.toMatchObject({
      step: 'vault_token_missing',
    })
    expect(vault.logins).toEqual([])
  })
})

describe('what Vault says', () => {
  it.each([
    ['no secret', () => vault.secrets.delete('secret/data/mcp-gateway/ann'), 'secret_missing', 'credential_failed'],
    [
      'another field',
      () => vault.secrets.set('secret/data/mcp-gateway/ann', { x: 'y' }),
      'secret_missing',
      'credential_failed',
    ],
    [
      'a value that no header holds',
      () => vault.secrets.set('secret/data/mcp-gateway/ann', { github_pat: 'a\nb' }),
      'secret_unusable',
      'credential_failed',
    ],
    [
      'no',
      () => {
        vault.admits = () => false
      },
      'vault_refused',
      'credential_failed',
    ],
    [
      'nothing now',
      () => {
        vault.down = true
      },
      'vault_refused',
      'credential_unavailable',
    ],
  ])('%s: nothing is given', async (_what, bend, step, reason) => {
    const credential = await open()
    bend()
    await expect(credential.given(ANN)).rejects.toMatchObject({ step, reason })
  })

  it('version 1 of the engine is read, too', async () => {
    vault.secrets.set('secret/data/mcp-gateway/ann', { github_pat: 'pat-2' })
    const credential = await open()
    expect(authorizationOf(await credential.given(ANN))).toBe('Bearer pat-2')
  })

  it('a login that ended there is made anew', async () => {
    const needs = credentialNeeds()
    const credential = await open({ cache: '1m' }, needs)
    await credential.given(ANN)
    vault.tokens.clear()
    vault.tokens.add('hvs.root')
    needs.time.now += 60_000
    expect(authorizationOf(await credential.given(ANN))).toBe('Bearer pat-of-ann')
  })

  it('a secret that the server refuses is read again, and tried where it is another', async () => {
    const credential = await open()
    const first = (await credential.given(ANN)) as Given
    vault.secrets.set('secret/data/mcp-gateway/ann', { github_pat: 'pat-new' })
    expect(authorizationOf(await credential.renewed?.(ANN, first, REFUSED))).toBe('Bearer pat-new')
    expect(authorizationOf(await credential.given(ANN))).toBe('Bearer pat-new')
    const bob = (await credential.given(BOB)) as Given
    expect(await credential.renewed?.(BOB, bob, REFUSED)).toBeUndefined()
  })
})

describe('the path', () => {
  const person = { ...ANONYMOUS, subject: 's-1', identity: 'ann', email: 'ann+x@example.com' }

  it('names the person and the server', () => {
    expect(pathFor('secret/data/{email}/{server}', person, 'ns/notes')).toBe(
      'secret/data/ann%2Bx%40example.com/ns/notes',
    )
    expect(pathFor('secret/data/{subject}-{identity}', person, 'notes')).toBe('secret/data/s-1-ann')
  })

  it.each(['', '.', '..', 'a/b', '../bob', 'a%2fb', 'a\\b', 'a?b', 'a#b', 'a\nb', '\ud800'])(
    'is not led elsewhere by a name such as %j',
    (identity) => {
      expect(() => pathFor('secret/data/{identity}', { ...person, identity }, 'notes')).toThrow(
        'This person has no name that a path in Vault can hold.',
      )
    },
  )

  it('needs a name and a person', async () => {
    expect(() => pathFor('secret/data/{email}', { ...person, email: undefined }, 'notes')).toThrow('no name')
    const credential = await open()
    expect(() => credential.given(undefined)).toThrow('There is no person')
    expect(() => credential.given({ principal: ANONYMOUS, rawHeaders: [] })).toThrow('There is no person')
    expect(vault.asked).toEqual([])
  })
})

describe('what a caller brings for the server', () => {
  it('becomes its Authorization, whatever the scheme', async () => {
    const credential = await openWith(credentialNeeds(), { type: 'caller' })
    const caller = callerOf('ann', { token: 'ours', headers: ['X-Upstream-Authorization', 'Basic YTpi'] })
    expect(credential.given(caller)).toEqual({ headers: { authorization: 'Basic YTpi' } })
    expect(credential.ownerOf?.(caller)).not.toBe(credential.ownerOf?.(callerOf('ann')))
    expect(credential.personal).toBe(true)
  })

  it('is nothing without it, and never what the caller came to us with', async () => {
    const credential = await openWith(credentialNeeds(), { type: 'caller' })
    expect(credential.given(callerOf('ann', { token: 'ours' }))).toEqual({ headers: {} })
    expect(credential.given(undefined)).toEqual({ headers: {} })
    const twice = callerOf('ann', { headers: ['x-upstream-authorization', 'a', 'X-Upstream-Authorization', 'b'] })
    expect(() => credential.given(twice)).toThrow('comes twice')
  })
})

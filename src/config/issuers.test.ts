// What is said where it is written: an entry of auth.issuers that could never work, and what to write instead.
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-issuers-'))
const resolveHost = async (host: string) => (host.endsWith('.here') ? ['127.0.0.1'] : ['192.0.2.1'])

async function load(...entries: object[]) {
  const file = join(folder, 'portcullis.json')
  writeFileSync(file, JSON.stringify({ auth: { issuers: entries } }, undefined, 2))
  return (await loadConfig({ flags: { config: file }, env: {}, cwd: folder, resolveHost })).config.auth.issuers
}
const told = (...entries: object[]) =>
  load(...entries).then(
    () => 'taken',
    (error: Error) => error.message,
  )

const AT = { issuer: 'https://issuer.example' }
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const PEM = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const JWKS = JSON.stringify({ keys: [pair.publicKey.export({ format: 'jwk' })] })

it('has its defaults', async () => {
  expect(await load(AT)).toEqual([
    expect.objectContaining({
      ...AT,
      type: 'generic',
      algorithms: ['RS256', 'ES256'],
      clockTolerance: 5000,
      scopes: false,
    }),
  ])
})

describe('the name of an issuer', () => {
  const TENANT = '8d5e6f0a-1b2c-4d3e-8f90-a1b2c3d4e5f6'
  it.each([
    ['keycloak', 'https://id.example/realms/mcp'],
    ['okta', 'https://acme.okta.com/oauth2/default'],
    ['auth0', 'https://acme.eu.auth0.com/'],
    ['entra', `https://login.microsoftonline.com/${TENANT}/v2.0`],
    ['entra', `https://sts.windows.net/${TENANT}/`],
    ['entra', `https://acme.b2clogin.com/${TENANT}/v2.0/`],
    ['generic', 'https://issuer.example/with/slash/'],
  ])('of %s may be %s', async (type, issuer) => {
    expect(await told({ type, issuer })).toBe('taken')
  })

  it.each([
    ['keycloak', 'https://id.example/realms/mcp/', /without a slash at the end/],
    ['okta', 'https://acme.okta.com/oauth2/default/', /without a slash at the end/],
    ['auth0', 'https://acme.eu.auth0.com', /with a slash at the end/],
    ['entra', `https://login.microsoftonline.com/${TENANT}/v2.0/`, /version 2/],
    ['entra', `https://login.microsoftonline.com/${TENANT}`, /version 1/],
    ['entra', `https://sts.windows.net/${TENANT}`, /version 1/],
    ['google', 'https://accounts.google.com/', /Google writes/],
    ['generic', 'mcpgateway', /https URL/],
    ['generic', 'https://issuer.example/?a=1', /without query/],
    ['generic', 'https://user@issuer.example/', /https URL/],
    ['generic', 'ftp://issuer.example/', /https URL/],
  ])('of %s is not %s', async (type, issuer, why) => {
    const message = await told({ type, issuer })
    expect(message).toMatch(/auth\.issuers\[0]\.issuer/)
    expect(message).toMatch(why)
    // Where it is written, too.
    expect(message).toMatch(/portcullis\.json:\d+/)
  })

  it('is any text, where its keys are written down', async () => {
    expect(await told({ issuer: 'mcpgateway', jwks: PEM })).toBe('taken')
    const introspection = { clientId: 'a', clientSecret: 'b' }
    expect(await told({ issuer: 'mcpgateway', jwks: PEM, introspection })).toMatch(
      /issuers\[0]\.issuer[\s\S]*https URL/,
    )
    const asked = { ...introspection, endpoint: 'https://ask.example/' }
    expect(await told({ issuer: 'mcpgateway', jwks: PEM, introspection: asked })).toBe('taken')
  })

  it('is http only where it stays on this machine', async () => {
    expect(await told({ issuer: 'http://keycloak.here:8002/realms/mcp' })).toBe('taken')
    expect(await told({ issuer: 'http://keycloak.away:8002/realms/mcp' })).toMatch(
      /is http, and its host is not this machine/,
    )
    expect(await told({ ...AT, jwksUri: 'http://keys.away/' })).toMatch(/auth\.issuers\[0]\.jwksUri/)
    const introspection = { endpoint: 'http://ask.away/', clientId: 'a', clientSecret: 'b' }
    expect(await told({ ...AT, introspection })).toMatch(/auth\.issuers\[0]\.introspection\.endpoint/)
  })
})

describe('what an entry cannot do without', () => {
  it('Google: an audience', async () => {
    const google = { type: 'google', issuer: 'https://accounts.google.com' }
    expect(await told(google)).toMatch(/audience[\s\S]*client id/)
    expect(await told({ ...google, audience: 'client.apps.googleusercontent.com' })).toBe('taken')
  })
  it.each(['common', 'organizations', '{tenantid}'])('Entra for %s: tenants', async (name) => {
    const many = { type: 'entra', issuer: `https://login.microsoftonline.com/${name}/v2.0` }
    expect(await told(many)).toMatch(/tenants[\s\S]*every tenant/)
    expect(await told({ ...many, tenants: ['8d5e6f0a-1b2c-4d3e-8f90-a1b2c3d4e5f6'] })).toBe('taken')
  })
})

describe('keys that are written down', () => {
  it.each([
    ['JSON', JWKS],
    ['PEM', PEM],
  ])('as %s', async (_form, jwks) => {
    expect(await told({ ...AT, jwks })).toBe('taken')
  })
  it.each([
    ['no JSON', '{"keys":[', /not JSON/],
    ['no key set', '{}', /no JWK Set/],
    ['PEM that is cut short', PEM.slice(0, -30), /PEM is cut short/],
    ['a private key', pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), /private key/],
    ['a shared key', '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', /symmetric/],
    ['no key', '{"keys":[]}', /No key in it counts/],
  ])('not %s', async (_what, jwks, why) => {
    const message = await told({ ...AT, jwks })
    expect(message).toMatch(why)
    expect(message).toMatch(/auth\.issuers\[0]\.jwks[\s\S]*Write a JWK Set as JSON, or public keys as PEM/)
  })
  it('not beside an address of them', async () => {
    expect(await told({ ...AT, jwks: JWKS, jwksUri: 'https://issuer.example/jwks' })).toMatch(
      /one of jwks, jwksFile and jwksUri/,
    )
  })
})

it.each(['HS256', 'none', 'rs256'])('%s is no algorithm, and the reason is said', async (algorithm) => {
  expect(await told({ ...AT, algorithms: [algorithm] })).toMatch(
    /RS256[\s\S]*whoever can check a token with it can make one/,
  )
})

it('a pattern that some value would make slow is refused', async () => {
  const claimValues = { team: { values: ['(a+)+'], matchType: 'regex' } }
  expect(await told({ ...AT, claimValues })).toMatch(/claimValues\.team\.values[\s\S]*without repeating a group/)
})

it('an address list is held to the form of all of them', async () => {
  expect(await told({ ...AT, allowedEmails: ['corp.example'] })).toMatch(/allowedEmails[\s\S]*\*@example\.com/)
})

it('one issuer is asked about tokens that do not say whose they are', async () => {
  const introspection = { clientId: 'a', clientSecret: 'b' }
  expect(await told({ ...AT, introspection }, { issuer: 'https://b.example' })).toBe('taken')
  const both = await told({ ...AT, introspection }, { issuer: 'https://b.example', introspection })
  expect(both).toMatch(/auth\.issuers\[1]\.introspection[\s\S]*Only one issuer/)
})

it('is listed once', async () => {
  expect(await told(AT, AT)).toMatch(/Two issuers are called https:\/\/issuer\.example/)
})

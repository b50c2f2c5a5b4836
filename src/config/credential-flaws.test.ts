import { describe, expect, it } from 'vitest'
import { checkCredentials } from './credential-flaws.ts'
import { Config, type ConfigInput } from './schema.ts'

const A = { issuer: 'https://a.example.com', audience: 'gate' }
const B = { issuer: 'https://b.example.com', audience: 'gate' }
const provider = (issuer: string) => ({ id: issuer.slice(8, 9), type: 'oidc', issuer, clientId: 'gate' }) as const

type Server = NonNullable<ConfigInput['servers']>[number]
const told = (credentials: object, sections: Pick<ConfigInput, 'auth' | 'identity'> = {}, more: object = {}) =>
  checkCredentials(
    Config.parse({
      servers: [{ id: 'notes', url: 'http://127.0.0.1:9/mcp', credentials, ...more } as Server],
      ...sections,
    }),
  ).map(({ path }) => path.join('.'))

describe('what callers send along for a server', () => {
  it.each(['Authorization', 'cookie', 'X-API-Key', 'X-Forwarded-User', 'X_Upstream_Authorization', 'X-My-Token'])(
    'is not in %s, which the gate reads itself or a server may take for its word',
    (header) => {
      const auth = { header: 'X-My-Token' }
      expect(told({ type: 'caller', header }, { auth })).toEqual(['servers.0.credentials.header'])
    },
  )

  it.each([undefined, 'X-Upstream-Authorization', 'X-Notes-Account', 'X-My-Token'])('may be in %s', (header) => {
    expect(told({ type: 'caller', ...(header !== undefined && { header }) })).toEqual([])
  })
})

describe.each(['token-exchange', 'on-behalf-of'])('tokens that are exchanged by %s', (type) => {
  const at = { type, clientId: 'gate', tokenUrl: 'https://a.example.com/token' }

  it('are those of one issuer', () => {
    expect(told(at, { auth: { issuers: [A, B] } })).toEqual(['servers.0.credentials.tokenUrl'])
    expect(told(at, { auth: { issuers: [A] } })).toEqual([])
    expect(told({ ...at, issuer: A.issuer }, { auth: { issuers: [A, B] } })).toEqual([])
    expect(told(at, { auth: { issuers: [A, B] } }, { auth: { issuers: [A.issuer] } })).toEqual([])
  })

  it('are those of one provider', () => {
    const signedIn = { ...at, subject: 'sign-in' }
    const both = { providers: [provider(A.issuer), provider(B.issuer)] }
    expect(told(signedIn, { identity: both })).toEqual(['servers.0.credentials.tokenUrl'])
    expect(told({ ...signedIn, issuer: A.issuer }, { identity: both })).toEqual([])
    expect(told(signedIn, { identity: { providers: [provider(A.issuer)] } })).toEqual([])
  })
})

describe('a secret in HashiCorp Vault', () => {
  const at = (path: string, login: object = { token: 't' }) => ({
    type: 'vault',
    url: 'https://v',
    login,
    path,
    field: 'x',
  })
  const two = { auth: { issuers: [A, B] } }

  it('is found by a name that is one person’s', () => {
    expect(told(at('secret/data/{identity}'), two)).toEqual(['servers.0.credentials.path'])
    expect(told(at('secret/data/{subject}'), two)).toEqual([])
    expect(told(at('secret/data/{identity}', { role: 'gate' }), two)).toEqual([])
    const one = { auth: { issuers: [A] }, identity: { providers: [provider(B.issuer)] } }
    expect(told(at('secret/data/{identity}'), one)).toEqual([])
  })
})

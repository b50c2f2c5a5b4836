import { describe, expect, it } from 'vitest'
import { checkConnectable, connectionWarnings } from './connections.ts'
import { Config, type ConfigInput } from './schema.ts'

type Sections = Pick<ConfigInput, 'auth' | 'identity'>
const ISSUER = 'https://login.example.com'
const CORP = { id: 'corp', type: 'oidc', issuer: ISSUER, clientId: 'gate' } as const

const parsed = (sections: Sections, type: 'secret' | 'none' = 'secret') =>
  Config.parse({ servers: [{ id: 'notes', url: 'http://127.0.0.1:9/mcp', credentials: { type } }], ...sections })

describe('servers that people connect accounts to', () => {
  it('need a way to sign in', () => {
    const without = { identity: { providers: [] } }
    expect(checkConnectable(parsed(without))).toMatchObject([{ path: ['servers', 0, 'credentials', 'type'] }])
    expect(checkConnectable(parsed(without, 'none'))).toEqual([])
    expect(checkConnectable(parsed({}))).toEqual([])
  })

  it('are told of callers who cannot come to our pages as the same person', () => {
    const auth = { issuers: [{ issuer: ISSUER, audience: 'gate' }] }
    const said = (sections: Sections, type?: 'none') => connectionWarnings(parsed(sections, type))
    expect(said({ auth })).toEqual([
      expect.stringContaining(`servers.notes.credentials: callers who come with tokens of ${ISSUER} cannot`),
    ])
    expect(said({ auth, identity: { providers: [CORP] } })).toEqual([])
    expect(said({ auth }, 'none')).toEqual([])
    expect(said({ auth: { proxy: {} } })).toEqual([expect.stringContaining('through auth.proxy')])
    expect(said({})).toEqual([])
  })
})

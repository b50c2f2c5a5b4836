import { describe, expect, it } from 'vitest'
import type { Fetch } from '../authorization-server/fetch.ts'
import { discover, isResourceOf } from './discovery.ts'
import { findAuthorizationServer } from './metadata.ts'

describe('RFC 9728 §3.3: whose resource document it is', () => {
  it.each([
    ['https://a.example/mcp', 'https://a.example/mcp'],
    ['https://a.example', 'https://a.example/mcp'],
    ['https://a.example/', 'https://a.example/mcp'],
    ['https://a.example/team', 'https://a.example/team/mcp'],
    ['https://a.example/mcp/', 'https://a.example/mcp'],
    ['https://A.example:443/mcp', 'https://a.example/mcp'],
    ['https://a.example/mcp?one=1', 'https://a.example/mcp?one=1'],
  ])('%s is of %s', (resource, url) => expect(isResourceOf(resource, url)).toBe(true))

  it.each([
    ['https://b.example/mcp', 'https://a.example/mcp'],
    ['http://a.example/mcp', 'https://a.example/mcp'],
    ['https://a.example:8443/mcp', 'https://a.example/mcp'],
    ['https://a.example/mcp/more', 'https://a.example/mcp'],
    ['https://a.example/mc', 'https://a.example/mcp'],
    ['https://a.example/mcp?tenant=2', 'https://a.example/mcp'],
    ['https://a.example/mcp#x', 'https://a.example/mcp'],
    ['a.example/mcp', 'https://a.example/mcp'],
  ])('%s is not of %s', (resource, url) => expect(isResourceOf(resource, url)).toBe(false))
})

type Documents = Readonly<Record<string, unknown>>

/** A web of documents; 404 for the rest. */
const serving = (documents: Documents): Fetch & { asked: string[] } => {
  const asked: string[] = []
  const ask = async (url: string) => {
    asked.push(url)
    const document = documents[url]
    const body = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document ?? {}))
    return { status: document === undefined ? 404 : 200, headers: new Headers(), body }
  }
  return Object.assign(ask, { asked })
}

const metadata = (issuer: string, more: Documents = {}) => ({
  ...{ issuer, authorization_endpoint: `${issuer}/a`, token_endpoint: `${issuer}/t` },
  ...{ code_challenge_methods_supported: ['S256'], ...more },
})

const MCP = 'https://mcp.example/mcp'
const PRM = 'https://mcp.example/.well-known/oauth-protected-resource'
const AS = 'https://as.example'
const AT = `${AS}/.well-known/oauth-authorization-server`
const nothing = { url: MCP, issuer: undefined, resource: undefined, challenge: undefined }
const reasonOf = (work: Promise<unknown>) => work.catch(({ reason }: { reason: string }) => reason)

describe('MCP 2026-07-28, Authorization: discovery', () => {
  it('takes the document that the challenge names, and no other', async () => {
    const challenge = { error: undefined, scopes: [], resourceMetadata: 'https://mcp.example/doc' }
    const ask = serving({
      'https://mcp.example/doc': { resource: MCP, authorization_servers: [AS] },
      [AT]: metadata(AS, { scopes_supported: ['a'], extra: 'not kept' }),
    })
    const found = await discover({ ...nothing, ask, challenge })
    expect(found).toEqual({
      resource: MCP,
      scopes: [],
      server: {
        ...{ issuer: AS, authorization_endpoint: `${AS}/a`, token_endpoint: `${AS}/t`, scopes_supported: ['a'] },
      },
    })
    expect(ask.asked).toEqual(['https://mcp.example/doc', AT])
    const elsewhere = serving({ [`${PRM}/mcp`]: { resource: MCP, authorization_servers: [AS] }, [AT]: metadata(AS) })
    expect(await reasonOf(discover({ ...nothing, ask: elsewhere, challenge }))).toBe('resource_metadata_missing')
  })

  it('without a challenge tries the path, then the root', async () => {
    const ask = serving({ [PRM]: { resource: 'https://mcp.example', authorization_servers: [AS] }, [AT]: metadata(AS) })
    expect(await discover({ ...nothing, ask })).toMatchObject({ resource: 'https://mcp.example' })
    expect(ask.asked.slice(0, 2)).toEqual([`${PRM}/mcp`, PRM])
  })

  it('does not take a page for a document', async () => {
    const ask = serving({
      [`${PRM}/mcp`]: '<html>',
      [PRM]: '[]',
      'https://mcp.example/.well-known/openid-configuration': '',
    })
    expect((await discover({ ...nothing, ask })).server.authorization_endpoint).toBe('https://mcp.example/authorize')
  })

  it('MCP 2025-03-26: without documents the origin is the authorization server, at the usual places', async () => {
    expect((await discover({ ...nothing, ask: serving({}) })).server).toEqual({
      issuer: 'https://mcp.example',
      authorization_endpoint: 'https://mcp.example/authorize',
      token_endpoint: 'https://mcp.example/token',
      registration_endpoint: 'https://mcp.example/register',
    })
    const own = 'https://mcp.example'
    const ask = serving({ [`${own}/.well-known/oauth-authorization-server`]: metadata(`${own}/`) })
    expect((await discover({ ...nothing, ask })).server.issuer).toBe(`${own}/`)
  })

  it('takes the configured issuer, whatever the server says', async () => {
    const ask = serving({
      [`${PRM}/mcp`]: { resource: MCP, authorization_servers: ['https://other.example'], scopes_supported: ['x', 7] },
      [AT]: metadata(AS),
    })
    expect(await discover({ ...nothing, ask, issuer: AS })).toMatchObject({ scopes: ['x'], server: { issuer: AS } })
  })

  it.each([
    ['no authorization server', { [`${PRM}/mcp`]: { resource: MCP } }, 'authorization_server_missing'],
    ['no metadata', { [`${PRM}/mcp`]: { resource: MCP, authorization_servers: [AS] } }, 'metadata_missing'],
    ['another resource', { [`${PRM}/mcp`]: { resource: 'https://x.example' } }, 'resource_mismatch'],
  ])('%s: refused', async (_, documents: Documents, reason) => {
    expect(await reasonOf(discover({ ...nothing, ask: serving(documents) }))).toBe(reason)
  })

  it('a child process needs an issuer in its configuration', async () => {
    const ask = serving({ [AT]: metadata(AS) })
    expect(await reasonOf(discover({ ...nothing, ask, url: undefined }))).toBe('issuer_missing')
    const written = { ...nothing, ask, url: undefined, issuer: AS, resource: 'urn:files' }
    expect(await discover(written)).toMatchObject({ resource: 'urn:files', server: { issuer: AS } })
  })
})

describe('RFC 8414 §2: an issuer', () => {
  it.each(['not an address', 'https://as.example/?tenant=1', 'https://as.example/#x'])(
    'that is %s is asked nothing',
    async (issuer) => {
      const ask = serving({})
      await expect(findAuthorizationServer(issuer, ask)).rejects.toMatchObject({ reason: 'issuer_malformed' })
      expect(ask.asked).toEqual([])
    },
  )

  it('that is an address is asked for its metadata', async () => {
    const ask = serving({})
    expect(await findAuthorizationServer('https://as.example', ask)).toBeUndefined()
    expect(ask.asked).toHaveLength(2)
  })
})

// Acceptance case 14: the protected-resource document, as Kuadrant configures it: fields, CORS, OPTIONS, suffixes, lists with
// spaces from the environment, defaults.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { type Served, serve } from '../support/cli.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { listTools } from '../support/mcp.ts'

const PATH = '/.well-known/oauth-protected-resource'

let canary: Canary
let gateway: TestGateway
let served: Served | undefined
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({
    servers: [
      { id: 'notes', title: 'Notes of the team', url: canary.url },
      { id: 'plain', url: canary.url },
    ],
  })
})
afterEach(async () => {
  await served?.close()
  served = undefined
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const documentAt = async (url: string): Promise<Record<string, unknown>> => {
  const answer = await fetch(url)
  expect([url, answer.status]).toEqual([url, 200])
  return (await answer.json()) as Record<string, unknown>
}

describe('the document', () => {
  it('has the fields of Kuadrant', async () => {
    expect(await documentAt(`${gateway.url}${PATH}/servers/notes/mcp`)).toEqual({
      resource: `${gateway.url}/servers/notes/mcp`,
      resource_name: 'Notes of the team',
      authorization_servers: [gateway.url],
      bearer_methods_supported: ['header'],
      scopes_supported: ['mcp:tools'],
    })
  })

  it('is called by the id where there is no title', async () => {
    expect((await documentAt(`${gateway.url}${PATH}/servers/plain/mcp`))['resource_name']).toBe('plain')
  })

  it('is for any origin, without credentials, and cacheable JSON', async () => {
    const answer = await fetch(`${gateway.url}${PATH}/servers/notes/mcp`, {
      headers: { origin: 'https://app.example' },
    })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
  })

  it('answers a preflight, and no method that writes', async () => {
    const url = `${gateway.url}${PATH}/servers/notes/mcp`
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'mcp-protocol-version',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    expect(preflight.headers.get('access-control-allow-methods')).toContain('GET')
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/mcp-protocol-version/i)
    const posted = await fetch(url, { method: 'POST', body: '{}' })
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, expect.stringContaining('GET')])
  })
})

describe('its suffixes', () => {
  it.each([
    '/',
    '/servers/unknown/mcp',
    '/servers/notes',
    '/servers/notes/mcp/',
    '/servers/NOTES/mcp',
    '/servers/*/mcp',
  ])('none for "%s"', async (suffix) => expect((await fetch(`${gateway.url}${PATH}${suffix}`)).status).toBe(404))

  it('the root is /mcp, the address of all servers, where there are several', async () => {
    const [root, all] = [await documentAt(`${gateway.url}${PATH}`), await documentAt(`${gateway.url}${PATH}/mcp`)]
    expect(root).toEqual(all)
    expect(all).toMatchObject({ resource: `${gateway.url}/mcp`, scopes_supported: ['mcp:tools'] })
  })

  it('neither root nor /mcp is there where several servers are not shown as one', async () => {
    const servers = ['notes', 'plain'].map((id) => ({ id, url: canary.url }))
    const apart = await startGateway({ servers, aggregate: { enabled: false } })
    for (const suffix of ['', '/mcp']) expect((await fetch(`${apart.url}${PATH}${suffix}`)).status).toBe(404)
    expect((await fetch(`${apart.url}/mcp`)).status).toBe(404)
    await apart.close()
  })

  it('the root is the only server where there is one', async () => {
    const one = await startGateway({ servers: [{ id: 'notes', url: canary.url }] })
    const root = await documentAt(`${one.url}${PATH}`)
    expect(root).toEqual(await documentAt(`${one.url}${PATH}/servers/notes/mcp`))
    expect(root['resource']).toBe(one.resource('notes'))
    await one.close()
  })

  it('the challenge of a server leads to its own', async () => {
    for (const id of ['notes', 'plain']) {
      const refused = await listTools(gateway.resource(id), undefined)
      expect(refused.status).toBe(401)
      const [, url = ''] = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? []
      expect((await documentAt(url))['resource']).toBe(gateway.resource(id))
    }
  })
})

describe('its variables', () => {
  const servers = () => [{ id: 'notes', title: 'Notes of the team', url: canary.url }]

  it('OAUTH_SCOPES_SUPPORTED with spaces and OAUTH_RESOURCE_NAME reach it', async () => {
    const env = { OAUTH_SCOPES_SUPPORTED: 'basic, groups,roles', OAUTH_RESOURCE_NAME: 'MCP Server' }
    served = await serve({ servers: servers() }, [], env)
    const document = await documentAt(`${served.url}${PATH}`)
    expect(document['resource_name']).toBe('MCP Server')
    expect(document['scopes_supported']).toEqual(expect.arrayContaining(['basic', 'groups', 'roles']))
    for (const scope of document['scopes_supported'] as string[]) expect(scope).toMatch(/^\S+$/)
  })

  it('other authorization servers are named in place of ours; other ways to send a token are not', async () => {
    const env = {
      OAUTH_AUTHORIZATION_SERVERS: 'https://id.example.com/realms/mcp, https://login.example.com',
      OAUTH_BEARER_METHODS_SUPPORTED: 'header, body, query',
    }
    served = await serve({ servers: servers() }, [], env)
    expect(await documentAt(`${served.url}${PATH}`)).toEqual({
      resource: `${served.url}/servers/notes/mcp`,
      resource_name: 'Notes of the team',
      authorization_servers: ['https://id.example.com/realms/mcp', 'https://login.example.com'],
      bearer_methods_supported: ['header'],
    })
    expect(served.said).toContain('OAUTH_BEARER_METHODS_SUPPORTED names body, query')
    expect((await fetch(`${served.url}/.well-known/oauth-authorization-server`)).status).toBe(404)
  })

  it('what they leave out keeps its default', async () => {
    served = await serve({ servers: servers() })
    expect(await documentAt(`${served.url}${PATH}`)).toEqual({
      resource: `${served.url}/servers/notes/mcp`,
      resource_name: 'Notes of the team',
      authorization_servers: [served.url],
      bearer_methods_supported: ['header'],
      scopes_supported: ['mcp:tools'],
    })
  })
})

// RFC 9728, OAuth 2.0 Protected Resource Metadata: one document for each server, found from its URL and from its challenge.
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { discover } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { listTools } from '../support/mcp.ts'

let canary: Canary
let gateway: TestGateway
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({
    servers: [
      { id: 'notes', title: 'Notes', url: canary.url },
      { id: 'bare', url: canary.url },
    ],
    scopes: { 'notes:read': { title: 'Read notes', covers: ['notes/*'] } },
  })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

/** §3.1: between the host component and the path component. */
const wellKnown = (resource: string) => {
  const { origin, pathname } = new URL(resource)
  return `${origin}/.well-known/oauth-protected-resource${pathname}`
}
const read = async (url: string) => {
  const answer = await fetch(url)
  return { answer, body: (await answer.json()) as Record<string, unknown> }
}

describe.each(['notes', 'bare'])('the metadata of %s', (id) => {
  it('§3: MUST be a JSON document at the well-known URI inserted between host and path', async () => {
    const { answer, body } = await read(wellKnown(gateway.resource(id)))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    expect(body).toBeTypeOf('object')
    // Appended to the path instead, there is nothing.
    const appended = await fetch(`${gateway.resource(id)}/.well-known/oauth-protected-resource`)
    expect(appended.status).toBe(404)
  })

  it('§3.3: the resource value MUST be identical to the identifier it was found from', async () => {
    const { body } = await read(wellKnown(gateway.resource(id)))
    expect(body['resource']).toBe(gateway.resource(id))
  })

  it('§1.2: the resource identifier is a URL that has no fragment', async () => {
    const { body } = await read(wellKnown(gateway.resource(id)))
    expect(String(body['resource'])).not.toContain('#')
    expect(URL.canParse(String(body['resource']))).toBe(true)
  })

  it('§2: authorization_servers are issuer identifiers as in RFC 8414, which lead to their metadata', async () => {
    const { body } = await read(wellKnown(gateway.resource(id)))
    const [issuer, ...others] = body['authorization_servers'] as string[]
    expect(others).toEqual([])
    expect((await discover(issuer ?? '')).issuer).toBe(issuer)
  })

  it('§2: names as way to send a token the one that is taken', async () => {
    const { body } = await read(wellKnown(gateway.resource(id)))
    expect(body['bearer_methods_supported']).toEqual(['header'])
  })
})

describe('§3.2: the response', () => {
  it('MUST NOT contain parameters with zero values', async () => {
    const { body } = await read(wellKnown(gateway.resource('bare')))
    expect(body).not.toHaveProperty('scopes_supported')
    for (const value of Object.values(body)) expect(value).not.toEqual([])
    // The twin: a server that a scope covers names it.
    expect((await read(wellKnown(gateway.resource('notes')))).body['scopes_supported']).toEqual(['notes:read'])
  })

  it('is for GET: other methods do not read it', async () => {
    const url = wellKnown(gateway.resource('notes'))
    for (const method of ['POST', 'PUT', 'DELETE']) expect((await fetch(url, { method })).status).toBe(405)
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(200)
  })
})

describe('§5.1: the challenge', () => {
  it('carries resource_metadata, a quoted URL that leads to the document of this resource', async () => {
    for (const id of ['notes', 'bare']) {
      const refused = await listTools(gateway.resource(id), undefined)
      const header = refused.headers.get('www-authenticate') ?? ''
      expect(refused.status).toBe(401)
      expect(header).toMatch(/^Bearer .*resource_metadata="[^"]+"/)
      const [, url = ''] = /resource_metadata="([^"]+)"/.exec(header) ?? []
      expect(url).toBe(wellKnown(gateway.resource(id)))
      // §3.3 again: what is found there MUST be about the URL that was called, or the client does not go on.
      expect((await read(url)).body['resource']).toBe(gateway.resource(id))
    }
  })

  it('is in the answer to a bad token too, and in none to a good one', async () => {
    const refused = await listTools(gateway.resource('notes'), 'rubbish')
    expect(refused.headers.get('www-authenticate')).toContain('resource_metadata=')
    const token = await gateway.tokenFor('notes', { scope: 'notes:read' })
    const served = await listTools(gateway.resource('notes'), token)
    expect([served.status, served.headers.get('www-authenticate')]).toEqual([200, null])
  })
})

describe('§7.3: a client must not be led to another’s resource', () => {
  it.each([{ Host: 'localhost' }, { 'X-Forwarded-Host': 'evil.example' }, { Forwarded: 'host=evil.example' }])(
    'the document does not depend on %o',
    async (headers) => {
      const path = new URL(wellKnown(gateway.resource('notes'))).pathname
      const text = await new Promise<string>((resolve, reject) => {
        const asked = request({ host: '127.0.0.1', port: gateway.port, path, headers }, async (answer) => {
          let body = ''
          for await (const chunk of answer) body += chunk
          resolve(body)
        })
        asked.on('error', reject).end()
      })
      expect(JSON.parse(text)).toEqual((await read(wellKnown(gateway.resource('notes')))).body)
    },
  )
})

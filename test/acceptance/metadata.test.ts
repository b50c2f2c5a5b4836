// Acceptance case 15: the authorization server's metadata. The issuer equals the URL, S256 is there, and so is every endpoint.
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Canary, startCanary } from '../support/canary.ts'
import { registerClient, type ServerMetadata } from '../support/client.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'

const PLACES = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']

let canary: Canary
let gateway: TestGateway
beforeAll(async () => {
  canary = await startCanary()
  gateway = await startGateway({ servers: [{ id: 'canary', url: canary.url }] })
})
afterAll(async () => {
  await gateway?.close()
  await canary?.close()
})

const metadataAt = async (place: string) => (await (await fetch(gateway.url + place)).json()) as ServerMetadata

describe.each(PLACES)('%s', (place) => {
  it('names as issuer exactly the URL it was asked at', async () => {
    const metadata = await metadataAt(place)
    expect(metadata.issuer).toBe(gateway.url)
    // RFC 8414 §3.1: the place follows from the issuer.
    expect(new URL(place, metadata.issuer).href).toBe(gateway.url + place)
  })

  it('names S256 and nothing weaker', async () => {
    expect((await metadataAt(place))['code_challenge_methods_supported']).toEqual(['S256'])
  })

  it('says what MCP clients look for', async () => {
    expect(await metadataAt(place)).toMatchObject({
      response_types_supported: ['code'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
      scopes_supported: expect.arrayContaining(['mcp:tools', 'offline_access']),
      token_endpoint_auth_methods_supported: expect.arrayContaining(['none', 'client_secret_basic']),
    })
  })

  it('names endpoints that exist, all of them on the issuer', async () => {
    const named = Object.entries(await metadataAt(place)).filter(([name]) => /_(endpoint|uri)$/.test(name))
    expect(named.map(([name]) => name).sort()).toEqual([
      'authorization_endpoint',
      'introspection_endpoint',
      'jwks_uri',
      'registration_endpoint',
      'revocation_endpoint',
      'token_endpoint',
    ])
    for (const [name, url] of named) {
      expect(new URL(String(url)).origin).toBe(gateway.url)
      const answer = await fetch(String(url), { method: name === 'jwks_uri' ? 'GET' : 'POST' })
      expect([name, answer.status]).not.toEqual([name, 404])
      expect([name, answer.status < 500]).toEqual([name, true])
    }
    // The twin of that 404.
    expect((await fetch(`${gateway.url}/oauth/nothing`, { method: 'POST' })).status).toBe(404)
  })

  it('is for any origin, and read only', async () => {
    const answer = await fetch(gateway.url + place, { headers: { origin: 'https://app.example' } })
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect((await fetch(gateway.url + place, { method: 'OPTIONS' })).status).toBe(204)
    expect((await fetch(gateway.url + place, { method: 'POST' })).status).toBe(405)
  })

  it.each([
    { Host: 'localhost' },
    { Host: '127.0.0.1:1' },
    { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'https' },
    { Forwarded: 'host=evil.example;proto=https' },
  ])('is the same document whatever the request says: %o', async (headers) => {
    expect(JSON.parse(await readWith(place, headers))).toEqual(await metadataAt(place))
  })
})

/** fetch does not send a Host of the caller's. */
function readWith(path: string, headers: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: gateway.port, path, headers }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => {
        text += chunk
      })
      answer.on('end', () => resolve(text))
    })
      .on('error', reject)
      .end()
  })
}

describe('a closed registration', () => {
  it('is not named, and not there', async () => {
    const closed = await startGateway({
      oauth: { registration: { dynamic: false, metadataDocuments: false } },
      servers: [{ id: 'canary', url: canary.url }],
    })
    const metadata = (await (await fetch(closed.url + PLACES[0])).json()) as ServerMetadata
    expect(metadata).not.toHaveProperty('registration_endpoint')
    expect(metadata['client_id_metadata_document_supported']).toBe(false)
    expect((await fetch(`${closed.url}/oauth/register`, { method: 'POST' })).status).toBe(404)
    await closed.close()
    expect((await registerClient(gateway)).id).not.toBe('')
  })
})

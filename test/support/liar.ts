// An identity provider that says what a test tells it to: its answers are made up, its signature is real, and it counts who asks.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

export interface Liar {
  readonly issuer: string
  /** Codes that were brought to its token endpoint, in order. */
  readonly codes: readonly string[]
  /** The ID token it will answer with; the nonce is that of the authorization request. */
  vouch(claims: { readonly nonce: string; readonly [claim: string]: unknown }): void
  close(): Promise<void>
}

interface Options {
  /** RFC 9207 §3: does it say that its answers name it? */
  readonly announcesIssuer: boolean
}

export async function startLiar({ announcesIssuer }: Options): Promise<Liar> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const key = { ...(await exportJWK(publicKey)), kid: 'liar', alg: 'ES256', use: 'sig' }
  const codes: string[] = []
  let claims: Record<string, unknown> = {}
  const server = createServer((req, res) => void answer(req, res))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const metadata = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    code_challenge_methods_supported: ['S256'],
    ...(announcesIssuer && { authorization_response_iss_parameter_supported: true }),
  }

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const documents: Readonly<Record<string, unknown>> = {
      '/.well-known/openid-configuration': metadata,
      '/jwks': { keys: [key] },
    }
    const path = req.url ?? ''
    const body = path === '/token' ? await redeem(req) : documents[path]
    res.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
    res.end(JSON.stringify(body ?? {}))
  }

  async function redeem(req: IncomingMessage): Promise<object> {
    codes.push(new URLSearchParams(Buffer.concat(await req.toArray()).toString()).get('code') ?? '')
    const idToken = await new SignJWT({ iss: issuer, aud: 'gate', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'liar' })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey)
    return { access_token: 'opaque', token_type: 'Bearer', expires_in: 300, id_token: idToken }
  }

  return {
    issuer,
    codes,
    vouch(next) {
      claims = next
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

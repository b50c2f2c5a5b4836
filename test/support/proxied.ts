// A gate behind an authenticating proxy: 127.0.0.1 is the proxy, every other address of this machine is somebody else.
import { startCanary } from './canary.ts'
import { type GatewayOptions, startGateway } from './gateway.ts'
import { type Bend, POLICY, type Range } from './range.ts'

export const ELSEWHERE = '127.0.0.2'

/** What the gate itself sends to the server behind it. */
export const CANARY_KEY = 'the key of the canary, which is ours'

/** oauth2-proxy's family of headers; both tokens and the proxy's word are taken. */
export async function startProxiedRange(options: GatewayOptions = {}): Promise<Range> {
  const canary = await startCanary()
  const gateway = await startGateway({
    servers: [
      {
        id: 'canary',
        url: canary.url,
        credentials: { type: 'headers', headers: { 'X-Canary-Key': CANARY_KEY } },
      },
    ],
    policy: POLICY,
    auth: { proxy: { preset: 'oauth2-proxy', userHeader: 'X-Forwarded-User' } },
    server: { trustedProxies: ['127.0.0.1', '10.0.0.0/8'] },
    ...options,
  })
  return {
    gateway,
    canary,
    token: await gateway.tokenFor('canary'),
    async close() {
      await gateway.close()
      await canary.close()
    },
  }
}

/** Fields over those of a call without a token. */
export const proxied = (fields: Bend): Bend => ({ Authorization: undefined, ...fields })

/** What a CGI-style server behind us would call the fields it got. */
export const cgiNames = (rawHeaders: readonly string[]): string[] =>
  rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`HTTP_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`] : []))

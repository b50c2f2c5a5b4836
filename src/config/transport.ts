// What the settings of the connection ask of each other: TLS, the public URL, client certificates and who reads them. Pure.
import type { MtlsConfig } from './auth.ts'
import { parseListen } from './listen.ts'
import type { Config } from './schema.ts'
import type { Path } from './settings.ts'
import { identityProxies } from './ways.ts'

export interface Flaw {
  readonly path: Path
  readonly message: string
  readonly remedy: string
}

/** `named`: the public URL was written, not derived. */
export function checkTransport(config: Config, named: boolean): Flaw[] {
  return [...checkUrl(config, named), ...checkClientCertificates(config), ...checkReaders(config)]
}

function checkUrl({ server }: Config, named: boolean): Flaw[] {
  const path = ['server', 'url']
  if (!named && parseListen(server.listen) === undefined) {
    const message = 'A socket file does not say what people type.'
    return [{ path, message, remedy: 'Write the public URL, such as https://mcp.example.com.' }]
  }
  if (server.tls === undefined || server.url.startsWith('https:')) return []
  const message = 'The URL is http, and with server.tls the gate speaks https only.'
  return [{ path, message, remedy: 'Write the https URL.' }]
}

function checkClientCertificates({ server: { tls } }: Config): Flaw[] {
  if (tls === undefined) return []
  const { clientCert, clientCa, crl } = tls
  if (clientCert !== 'none' && clientCa === undefined) {
    const message = `clientCert is ${clientCert}, and no authority is named whose certificates count.`
    return [{ path: ['server', 'tls', 'clientCert'], message, remedy: 'Set server.tls.clientCa.' }]
  }
  const idle =
    clientCert !== 'none' ? undefined : crl !== undefined ? 'crl' : clientCa !== undefined ? 'clientCa' : undefined
  if (idle === undefined) return []
  const message = 'No client is asked for a certificate.'
  return [{ path: ['server', 'tls', idle], message, remedy: 'Set server.tls.clientCert: optional or required.' }]
}

/** A way to knock that nobody could ever use is a misunderstanding. */
function checkReaders(config: Config): Flaw[] {
  const { auth, server, servers, forwardAuth } = config
  const asked = (server.tls?.clientCert ?? 'none') !== 'none'
  // Envoy tells over gRPC which certificate it verified.
  const told = forwardAuth.grpc !== undefined
  const flaws: Flaw[] = server.trustedProxies.flatMap((entry, index) => {
    if (asked || !entry.startsWith('certificate:')) return []
    const message = 'No client is asked for a certificate, so nobody can have this name.'
    return [{ path: ['server', 'trustedProxies', index], message, remedy: 'Set server.tls.clientCert and clientCa.' }]
  })
  const readers: readonly (readonly [Path, MtlsConfig | boolean | undefined])[] = [
    [['auth', 'mtls'], auth.mtls],
    ...servers.map((entry, index) => [['servers', index, 'auth', 'mtls'], entry.auth?.mtls] as const),
  ]
  for (const [path, mtls] of readers) {
    if (typeof mtls !== 'object') continue
    if (mtls.header === 'none' && !asked && !told)
      flaws.push({
        path,
        message: 'No client is asked for a certificate.',
        remedy:
          'Set server.tls.clientCert and clientCa; behind a proxy that ends TLS set header: xfcc or client-cert, behind Envoy forwardAuth.grpc.',
      })
    if (mtls.header !== 'none' && identityProxies(config).length === 0)
      flaws.push({
        path: [...path, 'header'],
        message: 'No proxy is trusted, so that this header would never count.',
        remedy: 'Name the proxy that ends TLS in server.trustedProxies.',
      })
  }
  return flaws
}

// What the settings of the connection ask of each other, as an operator reads it; each refusal beside its positive twin.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const cwd = mkdtempSync(join(tmpdir(), 'portcullis-transport-'))
const load = (config: object, env = {}) => {
  writeFileSync(join(cwd, 'portcullis.json'), JSON.stringify(config))
  return loadConfig({ env, cwd, resolveHost: async () => [] })
}
const judge = (config: object): Promise<string> =>
  load(config).then(
    () => 'taken',
    (error: Error) => error.message,
  )

const TLS = { cert: 'a.crt', key: 'a.key' }
const ASKS = { ...TLS, clientCa: 'ca.crt', clientCert: 'optional' }
const server = (more: object) => ({ server: more })
const mtls = (header: string, more: object = {}) => ({ auth: { mtls: { header } }, server: more })

describe('is refused where it is written', () => {
  it.each<[string, string, RegExp, object, object]>([
    [
      'an http URL beside TLS',
      'server.url',
      /https only/,
      server({ tls: TLS, url: 'http://localhost:4444' }),
      server({ tls: TLS, url: 'https://mcp.example.com' }),
    ],
    [
      'a socket file without a URL',
      'server.url',
      /what people type/,
      server({ listen: 'unix:/run/x.sock' }),
      server({ listen: 'unix:/run/x.sock', url: 'https://mcp.example.com' }),
    ],
    [
      'a socket file without its folder',
      'server.listen',
      /unix:\/path/,
      server({ listen: 'unix:x.sock', url: 'https://mcp.example.com' }),
      server({ listen: 'unix:/x.sock', url: 'https://mcp.example.com' }),
    ],
    [
      'certificates asked for, and no authority',
      'server.tls.clientCert',
      /Set server\.tls\.clientCa/,
      server({ tls: { ...TLS, clientCert: 'required' } }),
      server({ tls: ASKS }),
    ],
    [
      'an authority, and nobody asked',
      'server.tls.clientCa',
      /clientCert: optional or required/,
      server({ tls: { ...TLS, clientCa: 'ca.crt' } }),
      server({ tls: ASKS }),
    ],
    [
      'a revocation list, and nobody asked',
      'server.tls.crl',
      /clientCert: optional or required/,
      server({ tls: { ...TLS, crl: 'x.crl' } }),
      server({ tls: { ...ASKS, crl: 'x.crl' } }),
    ],
    [
      'a proxy known by its certificate, and nobody asked',
      'server.trustedProxies[1]',
      /nobody can have this name/,
      server({ tls: TLS, trustedProxies: ['10.0.0.1', 'certificate:edge'] }),
      server({ tls: ASKS, trustedProxies: ['10.0.0.1', 'certificate:edge'] }),
    ],
    [
      'callers known by their certificates, and nobody asked',
      'auth.mtls',
      /header: xfcc or client-cert/,
      mtls('none', { tls: TLS }),
      mtls('none', { tls: ASKS }),
    ],
    [
      'the same, and no Envoy that would tell',
      'auth.mtls',
      /behind Envoy forwardAuth\.grpc/,
      mtls('none'),
      { ...mtls('none'), forwardAuth: { grpc: '127.0.0.1:4445' } },
    ],
    [
      'a port of gRPC that is none',
      'forwardAuth.grpc',
      /such as 127\.0\.0\.1:4445/,
      { forwardAuth: { grpc: 'envoy' } },
      { forwardAuth: { grpc: '127.0.0.1:4445' } },
    ],
    [
      'the header of a proxy, and no proxy',
      'auth.mtls.header',
      /server\.trustedProxies/,
      mtls('xfcc'),
      mtls('xfcc', { trustedProxies: ['10.0.0.1'] }),
    ],
    [
      'the same for one server',
      'servers[0].auth.mtls.header',
      /server\.trustedProxies/,
      { servers: [{ id: 'a', url: 'http://127.0.0.1:1', auth: { mtls: { header: 'client-cert' } } }] },
      { servers: [{ id: 'a', url: 'http://127.0.0.1:1', auth: { mtls: false } }] },
    ],
    [
      'a key without its certificate',
      'server.tls.cert',
      /required/,
      server({ tls: { key: 'a.key' } }),
      server({ tls: TLS }),
    ],
  ])('%s', async (_what, setting, message, bad, good) => {
    const said = await judge(bad)
    expect(said).toContain(`  ${setting}\n`)
    expect(said).toMatch(message)
    expect(said).toContain('(one problem)')
    expect(await judge(good)).toBe('taken')
  })
})

describe('what follows from it', () => {
  it('is an https URL of this machine where none is written', async () => {
    const { config } = await load(server({ tls: TLS, listen: '127.0.0.1:8443' }))
    expect(config.server.url).toBe('https://localhost:8443')
    expect((await load(server({ listen: '127.0.0.1:8443' }))).config.server.url).toBe('http://localhost:8443')
  })

  it('are absolute paths, from the folder of the file, and from the current one for variables', async () => {
    const { config } = await load(server({ tls: { ...ASKS, crl: '/etc/x.crl' } }))
    expect(config.server.tls).toMatchObject({
      cert: join(cwd, 'a.crt'),
      key: join(cwd, 'a.key'),
      clientCa: join(cwd, 'ca.crt'),
      crl: '/etc/x.crl',
    })
    const env = { PORTCULLIS_SERVER_TLS_CERT: 'b.crt', PORTCULLIS_SERVER_TLS_KEY: 'b.key' }
    expect((await load({}, env)).config.server.tls).toMatchObject({ cert: join(cwd, 'b.crt'), key: join(cwd, 'b.key') })
  })

  it('is that a socket file is no loopback origin, and keeps its name', async () => {
    const { config } = await load(server({ listen: 'unix:/run/x.sock', url: 'https://mcp.example.com' }))
    expect(config.server).toMatchObject({ listen: 'unix:/run/x.sock', allowedOrigins: [] })
  })
})

// What the settings of the way to a server ask of each other; each refusal beside its positive twin.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import { printConfig } from './print.ts'

const cwd = mkdtempSync(join(tmpdir(), 'portcullis-server-transport-'))
const load = (server: object) => {
  writeFileSync(join(cwd, 'portcullis.json'), JSON.stringify({ servers: [{ id: 'a', ...server }] }))
  return loadConfig({ env: {}, cwd, resolveHost: async () => [] })
}
const judge = (server: object): Promise<string> =>
  load(server).then(
    () => 'taken',
    (error: Error) => error.message,
  )

const PLAIN = 'http://tools.example/mcp'
const SAFE = 'https://tools.example/mcp'

it.each<[string, string, RegExp, object, object]>([
  [
    'TLS files, and no TLS',
    'tls',
    /no TLS/,
    { url: PLAIN, tls: { ca: 'ca.crt' } },
    { url: SAFE, tls: { ca: 'ca.crt' } },
  ],
  [
    'a certificate without its key',
    'tls.cert',
    /tls\.key/,
    { url: SAFE, tls: { cert: 'a.crt' } },
    { url: SAFE, tls: { cert: 'a.crt', key: 'a.key' } },
  ],
  [
    'a key without its certificate',
    'tls.key',
    /tls\.cert/,
    { url: SAFE, tls: { key: 'a.key' } },
    { url: SAFE, tls: {} },
  ],
  ['HTTP/2 without TLS', 'http2', /inside TLS/, { url: PLAIN, http2: true }, { url: SAFE, http2: true }],
  [
    'HTTP/2 for a WebSocket',
    'http2',
    /HTTP\/1\.1/,
    { url: 'wss://tools.example/ws', http2: true },
    { url: 'wss://tools.example/ws' },
  ],
  [
    'addresses behind a proxy',
    'addresses',
    /proxy looks the name up/,
    { url: SAFE, proxy: 'http://proxy.example:3128', addresses: ['public'] },
    { url: SAFE, addresses: ['public', '10.0.0.0/8'] },
  ],
  [
    'a password of a proxy that cannot be read',
    'proxy',
    /Write % as %25/,
    { url: SAFE, proxy: 'http://ann:geheim%zz@proxy.example:3128' },
    { url: SAFE, proxy: 'http://ann:geheim%25zz@proxy.example:3128' },
  ],
  [
    'a password in the address',
    'url',
    /credentials/,
    { url: 'https://ann:geheim@tools.example/mcp' },
    { url: SAFE, proxy: 'http://ann:geheim@proxy.example:3128' },
  ],
  [
    'a transport of another address',
    'transport',
    /ws:\/\/ or wss:/,
    { url: PLAIN, transport: 'websocket' },
    { url: PLAIN, transport: 'sse' },
  ],
])('%s is refused where it is written', async (_what, setting, message, bad, good) => {
  const said = await judge(bad)
  expect(said).toContain(`  servers[0].${setting}\n`)
  expect(said).toMatch(message)
  expect(said).toContain('(one problem)')
  expect(said).not.toContain('geheim')
  expect(await judge(good)).toBe('taken')
})

it('files start from the folder of the configuration', async () => {
  const { config } = await load({ url: SAFE, tls: { ca: 'ca.crt', cert: '/etc/a.crt', key: 'sub/a.key' } })
  expect(config.servers[0]).toMatchObject({
    tls: { ca: join(cwd, 'ca.crt'), cert: '/etc/a.crt', key: join(cwd, 'sub/a.key') },
  })
})

it('the password of a proxy is shown to nobody', async () => {
  const loaded = await load({ url: SAFE, proxy: 'http://ann:geheim@proxy.example:3128' })
  const shown = printConfig(loaded)
  expect(shown).toContain('ann:***@proxy.example')
  expect(shown).not.toContain('geheim')
})

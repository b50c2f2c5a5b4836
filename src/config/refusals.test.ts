// What the gate could not start with, or would not keep, is refused where it is written; each beside its positive twin.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const cwd = mkdtempSync(join(tmpdir(), 'portcullis-refusals-'))

/** The loader's message; `taken` when there is none. */
async function judge(config: object): Promise<string> {
  writeFileSync(join(cwd, 'portcullis.json'), JSON.stringify(config))
  return loadConfig({ env: {}, cwd, resolveHost: async () => [] }).then(
    () => 'taken',
    (error: Error) => error.message,
  )
}

const rules = (...list: object[]) => ({ policy: { rules: list } })
const provider = (more: object) => ({
  id: 'corp',
  type: 'oidc',
  issuer: 'https://id.example.com',
  clientId: 'a',
  ...more,
})
const providers = (...list: object[]) => ({ identity: { providers: list } })
const github = (more: object) => ({ id: 'hub', type: 'github', clientId: 'a', clientSecret: 'b', ...more })
const client = (uri: string) => ({ oauth: { clients: [{ clientId: 'a', redirectUris: [uri] }] } })
const view = (...tools: (string | object)[]) => ({
  servers: [
    { id: 'notes', url: 'http://127.0.0.1:9/mcp' },
    { id: 'team', tools },
  ],
})
const headers = (map: Record<string, string>) => ({
  servers: [{ id: 'a', url: 'http://127.0.0.1:9/mcp', credentials: { type: 'headers', headers: map } }],
})

describe('is refused, and its twin taken:', () => {
  it.each<[string, string, RegExp, object, object]>([
    [
      'a pick of a server that is not there',
      'servers[1].tools[1]',
      /No server is called nots/,
      view('notes/read_*', 'nots/write_*'),
      view('notes/read_*', '*/write_*'),
    ],
    [
      'a pick of a view',
      'servers[1].tools[0]',
      /No server is called team/,
      view('team/read_*'),
      view({ from: 'notes/read_note', name: 'read' }),
    ],
    [
      'an address that is none among allowedEmails',
      'identity.allowedEmails[0]',
      /\*@example\.com/,
      { identity: { allowedEmails: ['example.com'] } },
      { identity: { allowedEmails: ['*@example.com', 'Ann@example.com'] } },
    ],
    [
      'one among those of a provider',
      'identity.providers[0].allowedEmails[0]',
      /\*@example\.com/,
      providers(provider({ allowedEmails: ['*'] })),
      providers(provider({ allowedEmails: ['*@example.com'] })),
    ],
    [
      'a second list of local accounts',
      'identity.providers[2].type',
      /listed already/,
      providers({ type: 'local' }, provider({}), { type: 'local', title: 'Staff' }),
      providers({ type: 'local', title: 'Staff' }, provider({})),
    ],
    [
      'a claim to keep without a name',
      'identity.claims[0]',
      />=1 characters/,
      { identity: { claims: [''], mapping: { organisation: 'org' } } },
      { identity: { claims: ['department'], mapping: { organisation: 'org' } } },
    ],
    [
      'plain http to a provider',
      'identity.providers[0].issuer',
      /not this machine/,
      providers(provider({ issuer: 'http://10.0.0.1' })),
      providers(provider({ issuer: 'http://127.0.0.1:9' })),
    ],
    [
      'a name that only looks like this machine',
      'identity.providers[0].issuer',
      /not this machine/,
      providers(provider({ issuer: 'http://127.0.0.1.evil.example' })),
      { ...providers(provider({ issuer: 'http://id.internal' })), server: { development: true } },
    ],
    [
      'plain http to the API of GitHub',
      'identity.providers[0].api',
      /not this machine/,
      providers(github({ api: 'http://ghe.example.com/api' })),
      providers(github({ api: 'http://localhost:9/api' })),
    ],
    [
      'a reader of the metrics that is no address',
      'metrics.allow[0]',
      /trustedProxies/,
      { metrics: { allow: ['prometheus.internal'] } },
      { metrics: { allow: ['loopback', '10.1.0.0/16'] } },
    ],
    [
      'a member of a role that matches nobody',
      'roles.guest[0]',
      /wildcard/,
      { roles: { guest: ['user:*'] } },
      { roles: { guest: ['user:ann@example.com', 'group:a'] } },
    ],
    [
      'a subject that matches nobody',
      'policy.rules[0].to[0]',
      /wildcard/,
      rules({ deny: ['a/*'], to: ['user:*@partner.example'] }),
      rules({ deny: ['a/*'], to: ['user:ann@partner.example'] }),
    ],
    [
      'a method that does not reach calls',
      'policy.rules[0].deny[0]',
      /tools\/call/,
      rules({ deny: ['method:a/tools/call'], to: ['*'] }),
      rules({ deny: ['method:a/logging/setLevel'], to: ['*'] }),
    ],
    [
      'an id that another rule has by its place',
      'policy.rules[1]',
      /rule-2/,
      rules({ id: 'rule-2', allow: ['a/*'], to: ['*'] }, { allow: ['b/*'], to: ['*'] }),
      rules({ id: 'rule-1', allow: ['a/*'], to: ['*'] }, { allow: ['b/*'], to: ['*'] }),
    ],
    [
      'an id that two rules have',
      'policy.rules[1].id',
      /called x/,
      rules({ id: 'x', allow: ['a/*'], to: ['*'] }, { id: 'x', allow: ['b/*'], to: ['*'] }),
      rules({ id: 'x', allow: ['a/*'], to: ['*'] }, { id: 'y', allow: ['b/*'], to: ['*'] }),
    ],
    [
      'a scope that covers no target',
      'scopes.read.covers[0]',
      /server\/tool/,
      { scopes: { read: { title: 'Read', covers: ['github'] } } },
      { scopes: { read: { title: 'Read', covers: ['github/*'] } } },
    ],
    [
      'a redirect that runs in the browser',
      'oauth.clients[0].redirectUris[0]',
      /scheme/,
      client('javascript:alert(1)'),
      client('https://app.example.com/callback'),
    ],
    [
      'a proxy that is no range',
      'server.trustedProxies[0]',
      /10\.0\.0\.0\/8/,
      { server: { trustedProxies: ['10.0.0.0/99'] } },
      { server: { trustedProxies: ['10.0.0.0/8', 'fd00::1'] } },
    ],
    [
      'an origin no browser sends',
      'server.allowedOrigins[0]',
      /https:\/\/app\.example\.com/,
      { server: { allowedOrigins: ['https://app.example.com/'] } },
      { server: { allowedOrigins: ['https://app.example.com', 'vscode-webview://abc'] } },
    ],
    [
      'an origin without its scheme',
      'server.allowedOrigins[0]',
      /https:\/\/app\.example\.com/,
      { server: { allowedOrigins: ['app.example.com'] } },
      { server: { allowedOrigins: ['*'] } },
    ],
    [
      'loopback origins beside others',
      'server.allowedOrigins',
      /alone/,
      { server: { allowedOrigins: ['loopback', 'https://app.example.com'] } },
      { server: { allowedOrigins: ['loopback'] } },
    ],
    [
      'a credential whose name is no header',
      'servers[0].credentials.headers.X Key',
      /header name/,
      headers({ 'X Key': 'v' }),
      headers({ 'X-Key': 'v' }),
    ],
    [
      'one that frames the message',
      'servers[0].credentials.headers.Content-Length',
      /frames/,
      headers({ 'Content-Length': '1' }),
      headers({ Authorization: 'Bearer v' }),
    ],
    [
      'a record that goes nowhere',
      'audit.sink',
      /store, stdout or both/,
      { audit: { sink: [] } },
      { audit: { sink: ['stdout'] } },
    ],
    [
      'an empty client secret of an identity provider',
      'identity.providers[0].clientSecret',
      /It is empty/,
      providers(provider({ clientSecret: '' })),
      providers(provider({ clientSecret: 's' })),
    ],
    [
      'an empty client secret of a client',
      'oauth.clients[0].clientSecret',
      /It is empty/,
      { oauth: { clients: [{ clientId: 'a', clientSecret: '', redirectUris: ['https://x.example/cb'] }] } },
      { oauth: { clients: [{ clientId: 'a', clientSecret: 's', redirectUris: ['https://x.example/cb'] }] } },
    ],
    [
      'what another kind of provider knows',
      'identity.providers[0].id',
      /There is no setting "id" here\. Known here: type, title\./,
      providers({ id: 'corp', type: 'local' }),
      providers({ type: 'local', title: 'Corp' }),
    ],
  ])('%s', async (_what, setting, message, bad, good) => {
    const said = await judge(bad)
    expect(said).toContain(`portcullis.json:1:`)
    expect(said).toContain(`  ${setting}\n`)
    expect(said).toMatch(message)
    expect(said).toContain('(one problem)')
    expect(await judge(good)).toBe('taken')
  })

  it('a credential with a line break, without repeating it', async () => {
    const said = await judge(headers({ 'X-Key': 'hunter2\nX-Other: 1' }))
    expect(said).toContain('no line break')
    expect(said).not.toContain('hunter2')
  })

  it('all of them at once', async () => {
    const said = await judge({
      server: { trustedProxies: ['x'], allowedOrigins: ['y'] },
      roles: { a: ['user:*'] },
      ...client('javascript:alert(1)'),
      ...rules({ deny: ['method:a/*'], to: ['*'] }),
    })
    for (const setting of [
      'trustedProxies[0]',
      'allowedOrigins[0]',
      'roles.a[0]',
      'redirectUris[0]',
      'rules[0].deny[0]',
    ])
      expect(said).toContain(setting)
  })
})

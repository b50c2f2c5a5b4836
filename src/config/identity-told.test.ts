// Who is told who calls, when nobody has written it down.
import { describe, expect, it } from 'vitest'
import type { IdentityForwardingConfig } from './forwarding.ts'
import { identityToldTo, toldText } from './identity-told.ts'
import { Config } from './schema.ts'
import { upstreamsOf } from './servers.ts'

function told(server: object, general?: IdentityForwardingConfig) {
  const [only] = upstreamsOf(Config.parse({ servers: [{ id: 'one', ...server }] }).servers)
  if (only === undefined) throw new TypeError('No server.')
  return identityToldTo(only, general)
}
const ways = (server: object, general?: IdentityForwardingConfig) => toldText(told(server, general))

describe('by address', () => {
  it.each([
    'http://localhost:3000/mcp',
    'http://api.localhost/mcp',
    'http://127.0.0.1:3000/mcp',
    'http://127.8.9.10/mcp',
    'http://[::1]:3000/mcp',
    'http://10.1.2.3/mcp',
    'http://172.31.255.255/mcp',
    'https://192.168.0.7/mcp',
    'http://[fd00::1]/mcp',
    'http://notes:8080/mcp',
    'http://notes.team.svc/mcp',
    'http://notes.team.svc.cluster.local/mcp',
    'http://notes.corp.internal/mcp',
    'http://NOTES.Local./mcp',
  ])('%s is told in headers and an assertion', (url) => {
    expect(ways({ url })).toBe('headers, jwt')
  })

  it.each([
    'https://api.githubcopilot.com/mcp',
    'https://example.com/mcp',
    'https://localhost.example.com/mcp',
    'https://internal.example.com/mcp',
    'https://notesinternal.com/mcp',
    'https://93.184.216.34/mcp',
    'http://172.32.0.1/mcp',
    'http://169.254.169.254/mcp',
    'http://100.64.0.1/mcp',
    'http://[fe80::1]/mcp',
    'http://[2606:4700::1]/mcp',
    'http://0.0.0.0/mcp',
  ])('%s is told nothing', (url) => {
    expect(ways({ url })).toBe('')
  })

  it('what is reached through a proxy is elsewhere', () => {
    expect(ways({ url: 'http://notes:8080/mcp', proxy: 'http://egress:3128' })).toBe('')
  })

  it('a child process is told in the message, and so is a stream or a WebSocket of ours', () => {
    expect(ways({ command: ['server'] })).toBe('meta')
    expect(ways({ url: 'ws://127.0.0.1:9/ws' })).toBe('meta')
    expect(ways({ url: 'http://notes/sse', transport: 'sse' })).toBe('meta')
    expect(ways({ url: 'wss://example.com/ws' })).toBe('')
  })
})

describe('what is written', () => {
  it('for a server goes over what is written for all, and that over the address', () => {
    const url = 'https://example.com/mcp'
    expect(ways({ url }, { headers: true })).toBe('headers')
    expect(ways({ url, identity: { headers: false } }, { headers: true })).toBe('')
    expect(ways({ url, identity: { meta: true } })).toBe('meta')
    expect(ways({ url: 'http://notes/mcp' }, { headers: false, jwt: false, meta: false })).toBe('')
  })

  it.each(['Mcp', 'mcp-param', 'Content', 'Proxy', 'Sec', 'X-Portcullis', 'Host', 'X_Caller', ''])(
    'no prefix that means something else: %j',
    (headerPrefix) => {
      const server = { id: 'one', url: 'http://notes/mcp', identity: { headerPrefix } }
      expect(Config.safeParse({ servers: [server] }).success).toBe(false)
    },
  )

  it('names the attributes, the prefix and the form', () => {
    const url = 'http://notes/mcp'
    expect(told({ url })).toMatchObject({ headerPrefix: 'X-Forwarded', form: 'portcullis' })
    expect(told({ url, identity: { form: 'contextforge' } })).toMatchObject({ headerPrefix: 'X-Forwarded-User' })
    expect(told({ url, identity: { attributes: ['email'], headerPrefix: 'X-Caller' } })).toMatchObject({
      attributes: ['email'],
      headerPrefix: 'X-Caller',
    })
  })
})

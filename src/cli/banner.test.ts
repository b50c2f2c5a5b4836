import { describe, expect, it } from 'vitest'
import { Config } from '../config/schema.ts'
import { type Started, startText } from './banner.ts'

const started = (input: object, more: Partial<Started> = {}): Started => {
  const parsed = Config.parse(input)
  const url = 'https://gate.example.com'
  return {
    config: { ...parsed, server: { ...parsed.server, url, allowedOrigins: [] } },
    url,
    source: 'portcullis.yaml',
    warnings: [],
    setupLink: undefined,
    inspectorToken: 'f00d',
    ...more,
  }
}

const SERVERS = {
  servers: [
    { id: 'tools', url: 'http://name:urlpass@10.0.0.5:8000/mcp?key=querypass' },
    { id: 'files', command: ['mcp-server-filesystem', '--token=argpass'] },
  ],
}

describe('the start text', () => {
  it('begins with ready and the URL, and names what stands behind', () => {
    const text = startText(started(SERVERS))
    expect(text.trimStart()).toMatch(/^Portcullis is ready: https:\/\/gate\.example\.com\n/)
    expect(text).toContain('tools        https://gate.example.com/servers/tools/mcp  →  http://10.0.0.5:8000/mcp\n')
    expect(text).toContain('files        https://gate.example.com/servers/files/mcp  →  runs mcp-server-filesystem\n')
    expect(text).toContain('sign-in       local')
    expect(text).toContain('all of them  https://gate.example.com/mcp\n')
    expect(startText(started({ ...SERVERS, aggregate: { enabled: false } }))).not.toContain('.com/mcp\n')
  })

  it('says who is told who calls, and how', () => {
    const away = { id: 'away', url: 'https://mcp.example.com/mcp' }
    const text = startText(started({ servers: [...SERVERS.servers, away] }))
    expect(text).toContain('told who calls: tools (headers, jwt), files (meta), away (no)\n')
    expect(startText(started({}))).not.toContain('told who calls')
  })

  it('holds no secret of the configuration', () => {
    const text = startText(started({ ...SERVERS, store: { url: 'postgres://gate:dbpass@db/x' } }))
    expect(text).not.toMatch(/urlpass|querypass|argpass|dbpass/)
    expect(text).toContain('postgres://gate:***@db/x')
  })

  it('has a line for each common client', () => {
    const text = startText(started(SERVERS))
    const address = 'https://gate.example.com/servers/tools/mcp'
    expect(text).toContain(`claude mcp add --transport http tools ${address}\n`)
    expect(text).toContain(`code --add-mcp '{"name":"tools","type":"http","url":"${address}"}'\n`)
    expect(text).toContain(`inspector --cli ${address} --transport http --method tools/list\n`)
    const cursor = new URL(/cursor:\S+/.exec(text)?.[0] ?? '')
    expect(JSON.parse(atob(cursor.searchParams.get('config') ?? ''))).toEqual({ url: address })
    const inspector = new URL(/http:\/\/127\.0\.0\.1:6274\S+/.exec(text)?.[0] ?? '')
    expect(Object.fromEntries(inspector.searchParams)).toEqual({
      serverUrl: address,
      transport: 'http',
      autoConnect: 'f00d',
    })
  })

  it('shows the link for the first administrator only while there is one', () => {
    const setupLink = 'https://gate.example.com/setup?ticket=abc'
    expect(startText(started(SERVERS, { setupLink }))).toContain(`\n  ${setupLink}\n`)
    expect(startText(started(SERVERS))).not.toContain('setup')
  })

  it('shows warnings, and says when nothing stands behind', () => {
    const text = startText(started({}, { warnings: ['REDIS_URL is ignored.'] }))
    expect(text).toContain('Warning: REDIS_URL is ignored.')
    expect(text).toContain('No MCP server stands behind it.')
    expect(text).not.toContain('Claude Code')
  })
})

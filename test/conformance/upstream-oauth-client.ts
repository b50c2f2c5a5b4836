// What the suite takes for its client: a gateway of its own in front of the suite's server, a person with a browser, and a client that
// calls through the gateway. Where the gateway asks for an account to be connected, the person follows its link.
// Started by the suite as `node upstream-oauth-client.ts <url of its server>`.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { startGateway } from '../support/gateway.ts'
import type { Person } from '../support/person.ts'

const upstream = process.argv.at(-1) ?? ''
const scenario = process.env['MCP_CONFORMANCE_SCENARIO'] ?? ''
const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as Record<string, string>
const isModern = process.env['MCP_CONFORMANCE_PROTOCOL_VERSION'] === '2026-07-28'
/** Whoever is asked more often would be asked for ever. */
const MOST_ROUNDS = 6

/** What an administrator of this server would have written. */
async function credentials() {
  if (scenario === 'auth/basic-cimd')
    return { type: 'oauth' as const, clientId: 'https://conformance-test.local/client-metadata.json' }
  if (scenario === 'auth/pre-registration')
    return { type: 'oauth' as const, clientId: context['client_id'], clientSecret: context['client_secret'] }
  if (!scenario.startsWith('auth/client-credentials')) return { type: 'oauth' as const }
  const document = await fetch(new URL('/.well-known/oauth-protected-resource/mcp', upstream))
  const { authorization_servers: issuers } = (await document.json()) as { authorization_servers: string[] }
  return {
    type: 'client-credentials' as const,
    issuer: issuers[0],
    clientId: context['client_id'] ?? '',
    clientSecret: context['client_secret'],
    privateKey: context['private_key_pem'],
  }
}

const gateway = await startGateway({ servers: [{ id: 'upstream', url: upstream, credentials: await credentials() }] })
const person = await gateway.person()
const token = await gateway.tokenFor('upstream', { user: person })

/** The link that an answer or an error shows the person. */
function linkIn(shown: unknown): string | undefined {
  const text = shown instanceof Error ? shown.message : JSON.stringify(shown)
  return /https?:\/\/[^\s"'<>\\]+\/connections\/connect\?[^\s"'<>\\]+/.exec(text)?.[0].replace(/[.,)]+$/, '')
}

/** Signs in where that is asked for, and goes where the button leads. Throws with what the last page says, where that is a failure. */
async function connect(browser: Person, link: string): Promise<void> {
  const page = await browser.follow(link, 'nowhere:')
  const end = page.html.includes('>Connect<') ? await browser.submit(page, /^Connect$/) : page
  if (end.url.includes('/connections/connected')) return
  throw new Error(
    `The account is not connected: ${end.status} ${end.url} ${end.html.replace(/<[^>]*>/g, ' ').slice(-400)}`,
  )
}

async function asking<Result>(request: () => Promise<Result>): Promise<Result> {
  for (let round = 0; ; round++) {
    const outcome = await request().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    const link = linkIn('value' in outcome ? outcome.value : outcome.error)
    if (link === undefined || round === MOST_ROUNDS) {
      if ('error' in outcome) throw outcome.error
      return outcome.value
    }
    await connect(person, link)
    console.log(`connected by ${link}`)
  }
}

async function connected(): Promise<Client> {
  const mode = isModern ? { pin: '2026-07-28' as const } : ('legacy' as const)
  const client = new Client({ name: 'conformance', version: '1' }, { versionNegotiation: { mode } })
  const headers = { authorization: `Bearer ${token}` }
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateway.resource('upstream')), { requestInit: { headers } }),
  )
  return client
}

try {
  const client = await asking(connected)
  const { tools } = await asking(() => client.listTools())
  console.log(`tools: ${tools.map(({ name }) => name).join(' ')}`)
  const result = await asking(() => client.callTool({ name: 'test-tool', arguments: {} }))
  console.log(JSON.stringify(result))
  await client.close()
} finally {
  await gateway.close()
}

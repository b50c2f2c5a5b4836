// HashiCorp Vault as far as a gateway sees it: a login with a JWT, and one read. Its API's own shapes; not its code.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HashicorpVault {
  readonly url: string
  /** `POST /v1/auth/jwt/login`, `GET /v1/…`: method and path, in order. */
  readonly asked: string[]
  /** Bodies of logins. */
  readonly logins: Record<string, unknown>[]
  /** Path below /v1/ to its data. */
  readonly secrets: Map<string, Record<string, unknown>>
  /** Tokens that it takes. */
  readonly tokens: Set<string>
  /** Whether a login is let in. */
  admits(body: Record<string, unknown>): boolean
  down: boolean
  close(): Promise<void>
}

export async function startHashicorpVault(): Promise<HashicorpVault> {
  let count = 0
  const server = createServer(async (req, res) => {
    const body = Buffer.concat(await req.toArray()).toString()
    const send = (status: number, value: unknown) =>
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    vault.asked.push(`${req.method} ${req.url}`)
    if (vault.down) return send(503, { errors: ['Vault is sealed'] })
    const path = (req.url ?? '').replace(/^\/v1\//, '')
    if (req.method === 'POST' && /^auth\/[^/]+\/login$/.test(path)) {
      const login = JSON.parse(body) as Record<string, unknown>
      vault.logins.push(login)
      if (!vault.admits(login)) return send(400, { errors: ['role could not be found'] })
      const token = `hvs.${++count}`
      vault.tokens.add(token)
      return send(200, { auth: { client_token: token, lease_duration: 3600 } })
    }
    if (!vault.tokens.has(String(req.headers['x-vault-token']))) return send(403, { errors: ['permission denied'] })
    const data = vault.secrets.get(path)
    if (data === undefined) return send(404, { errors: [] })
    send(200, { data: { data, metadata: { version: 1 } } })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const vault: HashicorpVault = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    logins: [],
    secrets: new Map(),
    tokens: new Set(['hvs.root']),
    admits: () => true,
    down: false,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return vault
}

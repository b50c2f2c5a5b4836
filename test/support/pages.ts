// The sign-in pages alone, on a real server, over an authorization server that only remembers what it was told.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ActEvent } from '../../src/audit/event.ts'
import { type IdentityConfig, identity as identitySection } from '../../src/config/identity.ts'
import { sendSeeOther } from '../../src/http/page.ts'
import { createAdmission } from '../../src/identity/admission.ts'
import { createIdentityProviders } from '../../src/identity/idp.ts'
import { passwordHasher } from '../../src/identity/password.ts'
import { usersOf } from '../../src/identity/users.ts'
import { interactionEndpoints } from '../../src/oauth/interaction/endpoints.ts'
import type { Interaction, Interactions } from '../../src/oauth/interaction/flow.ts'
import { RequestError, StoreUnavailable } from '../../src/protocol/errors.ts'
import { memoryCounters, memoryTickets, memoryUsers } from './memory.ts'

export const CLIENT = 'https://client.example/back'
export const PASSWORD = 'violet kettle orbit 94'

const INTERACTION: Interaction = {
  uid: 'u1',
  prompt: 'consent',
  client: { id: 'c1', name: 'Some Client', kind: 'registered', documentHost: undefined },
  redirectUri: CLIENT,
  redirectKind: 'web',
  resource: { url: 'https://mcp.example.com/servers/files/mcp', title: 'Team files' },
  scopes: [{ name: 'mcp:tools', title: 'Call tools' }],
  provider: undefined,
  account: undefined,
  remembered: false,
}

interface Options {
  readonly identity?: Parameters<typeof identitySection.parse>[0]
  readonly interactions?: readonly Partial<Interaction>[]
  readonly bodyTimeout?: number
}

export async function startPages({ identity: input = {}, interactions = [{}], bodyTimeout = 5000 }: Options = {}) {
  const identity: IdentityConfig = identitySection.parse(input)
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const pending = new Map(interactions.map((one) => [one.uid ?? 'u1', { ...INTERACTION, ...one }]))
  const calls: string[] = []
  const acts: ActEvent[] = []
  const logged: string[] = []
  const stored = memoryUsers()
  const [tickets, counters] = [memoryTickets(), memoryCounters()]
  let [session, now, recording]: [string | undefined, number, boolean] = [undefined, Date.now(), true]
  const clock = () => now

  function answer(uid: string, call: string): Interaction {
    const found = pending.get(uid)
    if (!found) throw new RequestError(400, 'interaction_unknown', 'This was already used or has expired.')
    pending.delete(uid)
    calls.push(call)
    return found
  }

  const fake: Interactions = {
    async find({ req }, uid) {
      const found = pending.get(uid)
      if (!found) throw new RequestError(400, 'interaction_unknown', 'This was already used or has expired.')
      if (!req.headers.cookie?.includes(`fake=${uid}`))
        throw new RequestError(403, 'another_browser', 'This page belongs to another browser.')
      return found
    },
    allow: async (exchange, { uid }) => sendSeeOther(exchange, answer(uid, `allow ${uid}`).redirectUri),
    deny: async (exchange, { uid }) => sendSeeOther(exchange, answer(uid, `deny ${uid}`).redirectUri),
    async signIn(exchange, { uid }, { account, amr }) {
      session = account
      sendSeeOther(exchange, answer(uid, `signIn ${uid} ${amr}`).redirectUri)
    },
    async signInByUid(_exchange, uid, { account, amr }) {
      session = account
      return answer(uid, `signInByUid ${uid} ${amr}`).redirectUri
    },
    denyByUid: async (_exchange, uid, { error }) => answer(uid, `denyByUid ${uid} ${error}`).redirectUri,
    findAccount: async () => session,
    async endSession() {
      calls.push('endSession')
      session = undefined
    },
  }

  const users = usersOf({
    users: stored,
    passwords: passwordHasher(),
    counters,
    isAdmitted: createAdmission(identity),
    clock,
  })
  const note = (fields: Record<string, unknown>, message: string) => {
    logged.push(`${message} ${fields['reason']}`)
  }
  const endpoints = interactionEndpoints({
    interactions: fake,
    users,
    idps: await createIdentityProviders({ identity, clockTolerance: 60, keepsTokens: false, fetch, clock }),
    serverUrl: url,
    csrfKey: () => 'key of the forms',
    tickets,
    departures: tickets,
    counters,
    recorder: {
      decide: async ({ id }) => ({ id }),
      finish: () => undefined,
      record: async () => undefined,
      async act(event) {
        if (!recording) throw new StoreUnavailable('The disk is full.')
        acts.push(event)
      },
    },
    clock,
    log: { warn: note, error: note },
    limits: { bodyTimeout },
  })

  let id = 0
  server.on('request', (req, res) => {
    const [path = '', query = ''] = (req.url ?? '').split('?')
    const endpoint = endpoints.match(path)
    if (!endpoint) return res.writeHead(404).end()
    return endpoint({ req, res, path, query, id: `request-${++id}`, address: '192.0.2.1', viaProxy: false, at: now })
  })

  return {
    url,
    users,
    stored,
    tickets,
    calls,
    acts,
    logged,
    session: () => session,
    signInAs: (account: string) => {
      session = account
    },
    advance: (ms: number) => {
      now += ms
    },
    breakRecorder: () => {
      recording = false
    },
    /** One request with this browser's cookies, nothing followed. */
    request(path: string, { cookie = 'fake=u1', form, ...init }: Ask = {}): Promise<Response> {
      const body = form === undefined ? null : new URLSearchParams(form)
      return fetch(new URL(path, url), {
        method: form === undefined ? 'GET' : 'POST',
        body,
        redirect: 'manual',
        ...init,
        headers: { cookie, ...init.headers },
      })
    },
    async close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

interface Ask {
  readonly cookie?: string
  readonly form?: Record<string, string>
  readonly method?: string
  readonly headers?: Record<string, string>
}

export type Pages = Awaited<ReturnType<typeof startPages>>

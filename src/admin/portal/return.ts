// Back from a server's authorization server, with a code or without. The browser leaves this address at once: it holds the code.
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { parseForm } from '../../http/form.ts'
import { checkMethod } from '../../http/method.ts'
import { sendPage, sendSeeOther } from '../../http/page.ts'
import type { Clock } from '../../protocol/clock.ts'
import { type Connectable, ConnectionRefused, type Connections } from '../../protocol/connections.ts'
import { RequestError } from '../../protocol/errors.ts'
import { CONNECTIONS_PATH } from '../../protocol/sign-in-client.ts'
import type { ConnectionRequests } from '../../tokens/connection-request.ts'
import type { SealKey } from '../../tokens/seal.ts'
import { sealedNotes } from '../../tokens/sealed-note.ts'
import type { Departures } from './departure.ts'
import { type About, connectedPage, failedPage } from './pages.ts'
import type { Visitor, Visitors } from './visitor.ts'

interface Needs {
  readonly serverUrl: string
  readonly connections: Connections
  readonly requests: Pick<ConnectionRequests, 'spend'>
  readonly visitors: Visitors
  readonly departures: Departures
  about(visitor: Visitor): About
  onChanged(subjects: readonly string[], server: string): Promise<void>
  sealKeys(): readonly SealKey[]
  readonly clock: Clock
}

const BINDING = 'connection-failed'
const NOTE_TTL = 10 * 60_000

export function returnEndpoints(needs: Needs) {
  const { serverUrl, connections, requests, visitors, departures, about, onChanged, sealKeys, clock } = needs
  const notes = sealedNotes({ sealKeys, clock, life: NOTE_TTL })
  const connectable = (id: string): Connectable => {
    const found = connections.connectable().find(({ server }) => server === id)
    if (found === undefined) throw new RequestError(404, 'unknown_server', 'There is no such server.')
    return found
  }

  const callback: Endpoint = async (exchange) => {
    checkMethod(exchange, 'GET')
    // A second reader of one parameter could take another value for it.
    const query = new URLSearchParams([...parseForm(Buffer.from(exchange.query))])
    const answer = new URL(`${serverUrl}${exchange.path}?${query}`)
    const { principal, subjects } = await visitors.known(exchange)
    const { subject } = principal
    const { server, sealed } = await departures.arrive(exchange, { state: query.get('state') ?? '', subject })
    const place = `server=${encodeURIComponent(server)}`
    try {
      await connections.finish(subject, answer)
    } catch (error) {
      if (!(error instanceof ConnectionRefused)) throw error
      const note = notes.seal(BINDING, { s: subject, m: error.message.slice(0, 1000) })
      return sendSeeOther(exchange, `${CONNECTIONS_PATH}/failed?${place}&note=${note}`)
    }
    if (sealed !== undefined) await requests.spend(sealed)
    await onChanged(subjects, server)
    sendSeeOther(exchange, `${CONNECTIONS_PATH}/connected?${place}`)
  }

  const ask = async (exchange: Exchange) => {
    checkMethod(exchange, 'GET', 'HEAD')
    const visitor = await visitors.enter(exchange)
    const query = parseForm(Buffer.from(exchange.query))
    return visitor && { visitor, query, server: connectable(query.get('server') ?? '') }
  }

  const connected: Endpoint = async (exchange) => {
    const asked = await ask(exchange)
    if (asked === undefined) return
    const { visitor, server } = asked
    const found = await connections.list(visitor.principal.subject)
    // Nobody is told by a link that they have connected something.
    if (!found.some((one) => one.server === server.server && one.state === 'connected'))
      return sendSeeOther(exchange, CONNECTIONS_PATH)
    sendPage(exchange, { status: 200, html: connectedPage(about(visitor), server) })
  }

  const failed: Endpoint = async (exchange) => {
    const asked = await ask(exchange)
    if (asked === undefined) return
    const { visitor, server, query } = asked
    const { s, m } = notes.open(BINDING, query.get('note') ?? '')?.said ?? {}
    // Words on a page of ours are ours: a link cannot bring others.
    if (s !== visitor.principal.subject || typeof m !== 'string') return sendSeeOther(exchange, CONNECTIONS_PATH)
    sendPage(exchange, { status: 200, html: failedPage(about(visitor), { server, detail: m }) })
  }

  return { callback, connected, failed }
}

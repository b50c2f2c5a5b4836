// What of a request may say who is calling: raw lines, so that what comes twice is seen twice, and read only when asked for. Beside
// that the one check that looks at names: no field that a later reader could take for one that a trusted proxy sets (CVE-2025-64484).
import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { BearerError } from '../protocol/errors.ts'
import { peerCertificate } from './client-certificate.ts'
import type { Exchange } from './exchange.ts'

interface Needs {
  /** The peer is one whose word for its callers counts. */
  isTrusted(socket: Socket): boolean
  /** For messages to the operator. */
  peerOf(socket: Socket): string
  /** Fields that name the caller there, as they are configured. */
  readonly identityFields: readonly string[]
}

export type ReadCredentials = (exchange: Exchange) => RequestCredentials

/** Throws BearerError `invalid_request` for another spelling of an identity field from a trusted peer: somebody behind it wrote that. */
export function credentialsReader({ isTrusted, peerOf, identityFields }: Needs): ReadCredentials {
  const spellings = new Map(identityFields.map((name) => [fold(name), name.toLowerCase()]))
  return (exchange) => {
    const { socket } = exchange.req
    const trusted = isTrusted(socket)
    if (trusted && spellings.size > 0) checkSpellings(exchange.req.rawHeaders, spellings)
    return new RequestCredentials(exchange, new Peer(socket, peerOf, trusted))
  }
}

/** What identity/ asks of a request. */
class RequestCredentials {
  readonly query: string
  readonly address: string
  readonly transport: Peer
  readonly #req: IncomingMessage

  constructor({ req, query, address }: Exchange, transport: Peer) {
    this.query = query
    this.address = address
    this.transport = transport
    this.#req = req
  }

  field(name: string): readonly string[] {
    const { headers, rawHeaders } = this.#req
    if (headers[name] === undefined) return NONE
    const lines: string[] = []
    // Node joins or drops what comes twice.
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const written = rawHeaders[at] ?? ''
      if (written.length === name.length && written.toLowerCase() === name) lines.push(rawHeaders[at + 1] ?? '')
    }
    return lines
  }
}

const NONE: readonly string[] = []

class Peer {
  readonly trusted: boolean
  readonly #socket: Socket
  readonly #peerOf: Needs['peerOf']

  constructor(socket: Socket, peerOf: Needs['peerOf'], trusted: boolean) {
    this.trusted = trusted
    this.#socket = socket
    this.#peerOf = peerOf
  }

  get peer(): string {
    return this.#peerOf(this.#socket)
  }

  certificate(): X509Certificate | undefined {
    return peerCertificate(this.#socket)
  }
}

/** What CGI, WSGI and their like make of a name: every mark is the same mark to them (RFC 3875 §4.1.18). */
const fold = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '-')

function checkSpellings(raw: readonly string[], spellings: ReadonlyMap<string, string>): void {
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    const meant = spellings.get(fold(name))
    if (meant !== undefined && meant !== name) throw unclear('identity_header_alias')
    // RFC 9110 §7.6.1: whoever keeps to `Connection` drops what it lists, so that two readers see two callers. §6.6.2: a trailer is no header.
    if ((name === 'connection' || name === 'trailer') && lists(raw[at + 1] ?? '', spellings))
      throw unclear('identity_header_listed')
  }
}

const lists = (value: string, spellings: ReadonlyMap<string, string>): boolean =>
  value.split(',').some((name) => spellings.has(fold(name.trim())))

const unclear = (reason: string) => new BearerError('invalid_request', reason, 'It is not clear who is calling.')

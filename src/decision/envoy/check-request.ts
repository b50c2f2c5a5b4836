// `CheckRequest` of envoy.service.auth.v3: what Envoy's ext_authz filter asks over gRPC. Field numbers are those of its public definition
// (external_auth.proto, attribute_context.proto, core/v3 base.proto and address.proto).
import type { X509Certificate } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { checkSingle } from '../../http/head.ts'
import { RequestError } from '../../protocol/errors.ts'
import { parseEncodedCertificate } from '../../protocol/forwarded-certificate.ts'
import { parseSpiffeId } from '../../protocol/spiffe.ts'
import type { Said } from '../original.ts'
import { checkWhole } from '../partial-body.ts'
import { MalformedMessage, Message } from './protobuf.ts'

export interface CheckRequest {
  readonly said: Said
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, in Latin-1 as node:http has them; without those of the request line. */
  readonly rawHeaders: string[]
  /** Of the connection that Envoy took; empty where it came through a socket file. */
  readonly address: string
  /** What Envoy verified of its client's certificate, where the connection had one. */
  readonly spiffeId: string | undefined
  certificate(): X509Certificate | undefined
  /** The caller's message, byte for byte. Throws RequestError 403 where that cannot be told. */
  readBody(): Buffer | undefined
}

const CHECK = { attributes: 1 }
const ATTRIBUTES = { source: 1, request: 4, contextExtensions: 10 }
const PEER = { address: 1, principal: 4, certificate: 5 }
const ADDRESS = { socket: 1 }
const SOCKET = { address: 2 }
const REQUEST = { http: 2 }
const HTTP = { method: 2, headers: 3, path: 4, host: 5, scheme: 6, body: 11, rawBody: 12, headerMap: 13 }
const HEADER_MAP = { headers: 1 }
const HEADER = { key: 1, value: 2, rawValue: 3 }

/** Throws RequestError 400 for a message that nobody can be sure of. */
export function parseCheckRequest(bytes: Buffer): CheckRequest {
  try {
    return readCheck(new Message(bytes).message(CHECK.attributes))
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    throw new RequestError(400, 'check_malformed', 'The question of the ingress cannot be read.', { cause: error })
  }
}

function readCheck(attributes: Message): CheckRequest {
  const source = attributes.message(ATTRIBUTES.source)
  const http = attributes.message(ATTRIBUTES.request).message(REQUEST.http)
  const { lines, pseudo } = readLines(http)
  const said = saidBy(http, attributes.entries(ATTRIBUTES.contextExtensions).get('resource'))
  // Of HTTP/2 these come twice, and both are the same.
  const told = [http.text(HTTP.method), http.text(HTTP.path), http.text(HTTP.host)]
  if ([':method', ':path', ':authority'].some((name, at) => (pseudo.get(name) ?? told[at]) !== told[at]))
    throw new RequestError(400, 'original_ambiguous', 'The ingress names two requests.')
  const rawHeaders = lines.flat()
  checkSingle(rawHeaders)
  const headers = headersOf(lines)
  const certificate = source.text(PEER.certificate)
  return {
    said,
    headers,
    rawHeaders,
    address: source.message(PEER.address).message(ADDRESS.socket).text(SOCKET.address),
    spiffeId: parseSpiffeId(source.text(PEER.principal)),
    certificate: () => (certificate === '' ? undefined : parseEncodedCertificate(certificate)),
    readBody: () => readBody(http, headers),
  }
}

const ORIGIN = /^(https?):\/\/([^/?#@\\]+)$/

/** `context_extensions` are the operator's own words (of a virtual host, a route), and name a host that Envoy calls otherwise. */
function saidBy(http: Message, resource: string | undefined): Said {
  const { method, path: target } = { method: http.text(HTTP.method), path: http.text(HTTP.path) }
  if (resource === undefined) return { method, scheme: http.text(HTTP.scheme), host: http.text(HTTP.host), target }
  const [, scheme, host] = ORIGIN.exec(resource) ?? []
  if (host === undefined)
    throw new RequestError(400, 'resource_extension', 'The ingress names a resource that is no scheme and host.')
  return { method, scheme, host, target }
}

type Line = readonly [name: string, value: string]

function readLines(http: Message): { lines: Line[]; pseudo: Map<string, string> } {
  const joined = [...http.entries(HTTP.headers)].map(([name, value]): Line => [name, latin1(Buffer.from(value))])
  const raw = http
    .message(HTTP.headerMap)
    .messages(HEADER_MAP.headers)
    .map((line): Line => {
      const value = line.has(HEADER.rawValue) ? line.bytes(HEADER.rawValue) : line.bytes(HEADER.value)
      return [line.text(HEADER.key), latin1(value)]
    })
  // Either, by `encode_raw_headers`: two lists are two requests.
  if (joined.length > 0 && raw.length > 0) throw new MalformedMessage('headers and header_map')
  const all = joined.length > 0 ? joined : raw
  return {
    lines: all.filter(([name]) => !name.startsWith(':')),
    pseudo: new Map(all.filter(([name]) => name.startsWith(':'))),
  }
}

const latin1 = (bytes: Buffer): string => bytes.toString('latin1')

function headersOf(lines: readonly Line[]): IncomingHttpHeaders {
  const headers: Record<string, string> = Object.create(null)
  for (const [written, value] of lines) {
    const name = written.toLowerCase()
    const before = headers[name]
    headers[name] = before === undefined ? value : `${before}, ${value}`
  }
  return headers
}

function readBody(http: Message, headers: IncomingHttpHeaders): Buffer | undefined {
  checkWhole(headers)
  const [raw, text] = [http.bytes(HTTP.rawBody), http.bytes(HTTP.body)]
  if (raw.length > 0 && text.length > 0) throw new RequestError(400, 'check_malformed', 'There are two bodies.')
  // As text, Envoy writes a `!` for each byte that is not UTF-8: another message may have been sent.
  if (text.includes('!'))
    throw new RequestError(403, 'body_replaced', 'The message did not come as it was sent, byte for byte.')
  const body = raw.length > 0 ? raw : text
  return body.length === 0 ? undefined : body
}

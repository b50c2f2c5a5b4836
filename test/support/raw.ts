// HTTP/1.1 by hand: exactly the bytes that a test names go out, and what comes back is read as one strict reader would (RFC 9112).
// For requests that no client library would send, and for answers of which there might be one too many.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { wrapped } from './over-tls.ts'

export interface RawAnswer {
  readonly status: number
  /** Lower-case names, in their order. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  /** The only field of that name; throws when it comes twice. */
  header(name: string): string | undefined
}

export interface RawConnection {
  /** A string is sent as Latin-1: one character, one byte. */
  send(bytes: string | Buffer): void
  /** The next final answer, complete; interim ones (1xx) are skipped. Throws when the other side closes before. */
  next(method?: string): Promise<RawAnswer>
  /** Resolves once the other side has closed, with the bytes that were not read as an answer. */
  closed(): Promise<Buffer>
  /** Gone without a goodbye: RST where the system allows it. */
  destroy(): void
}

export interface Conversation {
  readonly answers: readonly RawAnswer[]
  /** What came and is no whole answer. */
  readonly left: Buffer
}

/** Generous: it only ends a test that would otherwise hang. */
const PATIENCE = 45_000
const CRLF = '\r\n'

export type RawHeader = readonly [name: string, value: string]

/** One request as it stands in the caller's mind; nothing is added, Content-Length least of all. */
export function rawRequest(parts: {
  method?: string
  target?: string
  version?: string
  headers: readonly RawHeader[]
  body?: string | Buffer
}): Buffer {
  const { method = 'POST', target = '/', version = 'HTTP/1.1', headers, body = '' } = parts
  const lines = [`${method} ${target} ${version}`, ...headers.map(([name, value]) => `${name}: ${value}`), '', '']
  return Buffer.concat([bytesOf(lines.join(CRLF)), bytesOf(body)])
}

/** RFC 9112 §7.1, one chunk and the last one. */
export function chunked(body: string | Buffer, trailers: readonly string[] = []): Buffer {
  const bytes = bytesOf(body)
  const end = ['0', ...trailers, '', ''].join(CRLF)
  return bytes.length === 0
    ? bytesOf(end)
    : Buffer.concat([bytesOf(bytes.length.toString(16) + CRLF), bytes, bytesOf(CRLF + end)])
}

/**
 * Sends all of it at once and reads until the other side closes; the last request should ask for that. `from`: an address of this
 * machine, such as 127.0.0.2, which is another machine to the other side.
 */
export async function converse(
  port: number,
  bytes: string | Buffer,
  methods: readonly string[] = [],
  from?: string,
): Promise<Conversation> {
  const connection = await connectRaw(port, '127.0.0.1', from)
  connection.send(bytes)
  const left = await connection.closed()
  return readAnswers(left, methods)
}

export async function connectRaw(port: number, host = '127.0.0.1', from?: string): Promise<RawConnection> {
  const plain = connect({ port, host, allowHalfOpen: true, ...(from !== undefined && { localAddress: from }) })
  await once(plain, 'connect')
  const socket = await wrapped(plain)
  let received = Buffer.alloc(0)
  let ended = false
  let wake = (): void => undefined
  const end = (): void => {
    ended = true
    wake()
  }
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    wake()
  })
  // A reset is a way to close; what came before it stands.
  socket.on('error', end).on('end', end).on('close', end)
  if (socket.destroyed) end()

  const until = async (holds: () => boolean, what: string): Promise<void> => {
    const deadline = setTimeout(() => socket.destroy(new Error(what)), PATIENCE)
    while (!holds()) {
      if (ended) break
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    clearTimeout(deadline)
    if (!holds()) throw new Error(`The other side ${what}. It sent:\n${received.toString('latin1')}`)
    if (socket.errored?.message === what) throw new Error(`The other side ${what}, and was given up on.`)
  }

  return {
    send: (bytes) => void (socket.writable && socket.write(bytesOf(bytes))),
    async next(method = 'GET') {
      let found: Parsed | undefined
      const complete = (): boolean => {
        found = parseAnswer(received, method, ended)
        return found !== undefined
      }
      await until(complete, 'closed without an answer')
      const { answer, length } = found as unknown as Parsed
      received = received.subarray(length)
      return answer
    },
    async closed() {
      await until(() => ended, 'neither answered nor closed')
      socket.destroy()
      return received
    },
    destroy: () => void reset(plain),
  }
}

function reset(socket: Socket): void {
  socket.resetAndDestroy()
}

/** All the answers in a stream of bytes. `methods`: of the requests in their order, since a HEAD is answered without a body. */
export function readAnswers(bytes: Buffer, methods: readonly string[] = []): Conversation {
  const answers: RawAnswer[] = []
  let left = bytes
  while (left.length > 0) {
    const parsed = parseAnswer(left, methods[answers.length] ?? 'GET', true)
    if (parsed === undefined) break
    answers.push(parsed.answer)
    left = left.subarray(parsed.length)
  }
  return { answers, left }
}

interface Parsed {
  readonly answer: RawAnswer
  readonly length: number
}

const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) [\t\x20-\x7e]*$/
// RFC 9110 §5.5: nothing in a value that could end it for another reader.
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*?)[ \t]*$/

/** `undefined`: not complete yet. Throws for what is no HTTP/1.1 answer, such as a split one. */
function parseAnswer(bytes: Buffer, method: string, ended: boolean): Parsed | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [line = '', ...fields] = bytes.toString('latin1', 0, headEnd).split(CRLF)
  const [, status] = STATUS_LINE.exec(line) ?? []
  if (status === undefined) throw new Error(`Not a status line: ${JSON.stringify(line)}`)
  const headers = fields.map((field): RawHeader => {
    const [, name, value = ''] = FIELD.exec(field) ?? []
    if (name === undefined) throw new Error(`Not a header field: ${JSON.stringify(field)}`)
    return [name.toLowerCase(), value]
  })
  const start = headEnd + 4
  const answer = (body: Buffer): RawAnswer => ({
    status: Number(status),
    headers,
    body,
    header: (name) => single(headers, name),
  })
  if (Number(status) < 200 && Number(status) !== 101) {
    const after = parseAnswer(bytes.subarray(start), method, ended)
    return after && { answer: after.answer, length: start + after.length }
  }
  const body = parseBody(bytes.subarray(start), { status: Number(status), method, headers, ended })
  return body && { answer: answer(body.bytes), length: start + body.length }
}

/** RFC 9112 §6.3: how long the body of an answer is. */
function parseBody(
  rest: Buffer,
  of: { status: number; method: string; headers: readonly RawHeader[]; ended: boolean },
): { bytes: Buffer; length: number } | undefined {
  const { status, method, headers, ended } = of
  if (method === 'HEAD' || status === 204 || status === 304 || status === 101)
    return { bytes: Buffer.alloc(0), length: 0 }
  const coding = single(headers, 'transfer-encoding')
  const length = single(headers, 'content-length')
  if (coding !== undefined && length !== undefined) throw new Error('An answer with two lengths.')
  if (coding !== undefined) return parseChunks(rest)
  if (length === undefined) return ended ? { bytes: rest, length: rest.length } : undefined
  const size = Number(length)
  return rest.length < size ? undefined : { bytes: rest.subarray(0, size), length: size }
}

function parseChunks(rest: Buffer): { bytes: Buffer; length: number } | undefined {
  const chunks: Buffer[] = []
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf(CRLF, at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(rest.toString('latin1', at, lineEnd), 16)
    const start = lineEnd + 2
    if (rest.length < start + size + 2) return undefined
    // We send no trailers, so a line after the last chunk is somebody else's.
    if (rest.toString('latin1', start + size, start + size + 2) !== CRLF) throw new Error('A chunk without its end.')
    if (size === 0) return { bytes: Buffer.concat(chunks), length: start + 2 }
    chunks.push(rest.subarray(start, start + size))
    at = start + size + 2
  }
}

function single(headers: readonly RawHeader[], name: string): string | undefined {
  const found = headers.filter(([candidate]) => candidate === name)
  if (found.length > 1) throw new Error(`${name} comes ${found.length} times.`)
  return found[0]?.[1]
}

const bytesOf = (bytes: string | Buffer): Buffer => (typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)

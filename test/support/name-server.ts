// A resolver on a port of this machine that says what a test tells it to, or nothing. RFC 1035 §4.1, RFC 3596 (AAAA).
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'

/** Addresses of a name, `unknown` (NXDOMAIN), `broken` (SERVFAIL), or `silent`: no answer at all. */
export type Saying = readonly string[] | 'unknown' | 'broken' | 'silent'

export interface NameServer {
  /** `ADDRESS:PORT`. */
  readonly at: string
  /** What a name means, one saying a time it is asked for (A and AAAA count as one); the last one stays. */
  point(name: string, ...sayings: readonly Saying[]): void
  /** How often its IPv4 addresses were asked for. */
  asked(name: string): number
  close(): Promise<void>
}

const A = 1
const AAAA = 28
const RCODES = { unknown: 3, broken: 2 } as const

export async function startNameServer(): Promise<NameServer> {
  const names = new Map<string, { sayings: Saying[]; asked: number; now: Saying }>()
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const { name, type, end } = readQuestion(query)
    const known = names.get(name)
    if (known !== undefined && type === A) {
      known.asked += 1
      known.now = (known.sayings.length > 1 ? known.sayings.shift() : known.sayings[0]) ?? 'unknown'
    }
    const saying = known?.now ?? 'unknown'
    if (saying !== 'silent') socket.send(answer(query.subarray(0, end), type, saying), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    at: `127.0.0.1:${socket.address().port}`,
    point(name, ...sayings) {
      names.set(name, { sayings: [...sayings], asked: names.get(name)?.asked ?? 0, now: sayings[0] ?? 'unknown' })
    },
    asked: (name) => names.get(name)?.asked ?? 0,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function answer(question: Buffer, type: number, saying: Exclude<Saying, 'silent'>): Buffer {
  const addresses = typeof saying === 'string' ? [] : saying.filter((address) => isIPv4(address) === (type === A))
  const asked = type === A || type === AAAA ? addresses : []
  const head = Buffer.from(question)
  // QR, RD, RA; the code of the answer.
  head.writeUInt16BE(0x8180 | (typeof saying === 'string' ? RCODES[saying] : 0), 2)
  head.writeUInt16BE(asked.length, 6)
  head.writeUInt32BE(0, 8)
  return Buffer.concat([head, ...asked.map((address) => record(type, address))])
}

/** The name is the one that was asked for (a pointer); a life of nothing. */
function record(type: number, address: string): Buffer {
  const data = isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : sixteen(address)
  const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length])
  return Buffer.concat([head, data])
}

function sixteen(address: string): Buffer {
  const [head = '', tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const [left, right] = [head, tail].map((part) => (part === '' ? [] : part.split(':')))
  const zeros = Array<string>(8 - (left?.length ?? 0) - (right?.length ?? 0)).fill('0')
  return Buffer.from(
    [...(left ?? []), ...zeros, ...(right ?? [])].map((group) => group.padStart(4, '0')).join(''),
    'hex',
  )
}

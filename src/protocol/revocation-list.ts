// Which serial numbers a certificate revocation list holds: the one fact of it that connections which are open already need.
// RFC 5280 §5.1; the list's form and signature are OpenSSL's to judge, before and at every handshake. Pure.

const INTEGER = 0x02
const SEQUENCE = 0x30
const TIMES = [0x17, 0x18]

/** Serial numbers in hexadecimal, as `serialOf` writes them. */
export function parseRevokedSerials(pem: string): string[] {
  const der = Buffer.from(pem.replace(/-----[^-]*-----/g, ''), 'base64')
  const list = itemsOf(itemsOf(der)[0]?.body ?? NOTHING)[0]
  const fields = itemsOf(list?.body ?? NOTHING)
  const lastTime = fields.findLastIndex(({ tag }) => TIMES.includes(tag))
  // revokedCertificates is the one SEQUENCE behind the times; it is left out when there is none.
  const revoked = fields.slice(lastTime + 1).find(({ tag }) => tag === SEQUENCE)
  return itemsOf(revoked?.body ?? NOTHING).flatMap(({ body }) => {
    const serial = itemsOf(body)[0]
    return serial?.tag === INTEGER ? [normal(serial.body.toString('hex'))] : []
  })
}

export const serialOf = ({ serialNumber }: { readonly serialNumber: string }): string => normal(serialNumber)

const normal = (hex: string): string => hex.toLowerCase().replace(/^0+(?=.)/, '')

const NOTHING = Buffer.alloc(0)

interface Item {
  readonly tag: number
  readonly body: Buffer
}

/** X.690 §8.1: identifier, length, content; what is cut off is left out. */
function itemsOf(bytes: Buffer): Item[] {
  const items: Item[] = []
  for (let at = 0; at + 2 <= bytes.length; ) {
    const short = bytes[at + 1] ?? 0
    const count = short < 0x80 ? 0 : short & 0x7f
    const start = at + 2 + count
    if (count > 6 || start > bytes.length) break
    const length = count === 0 ? short : bytes.readUIntBE(at + 2, count)
    items.push({ tag: bytes[at] ?? 0, body: bytes.subarray(start, start + length) })
    at = start + length
  }
  return items
}

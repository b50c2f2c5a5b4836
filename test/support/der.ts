// The few bytes of DER (X.690 §10) that certificates and revocation lists are made of.

export const tlv = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body])
}

function lengthOf(count: number): Buffer {
  if (count < 128) return Buffer.from([count])
  const digits = count.toString(16)
  const bytes = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.from([0x80 + bytes.length]), bytes])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts)
export const set = (...parts: readonly Uint8Array[]): Buffer => tlv(0x31, ...parts)
export const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, 'hex'))
export const octets = (...parts: readonly Uint8Array[]): Buffer => tlv(0x04, ...parts)
export const bits = (bytes: Uint8Array, unused = 0): Buffer => tlv(0x03, Buffer.from([unused]), bytes)
export const utf8 = (text: string): Buffer => tlv(0x0c, Buffer.from(text))
export const integer = (bytes: Uint8Array): Buffer => tlv(0x02, bytes)
export const yes = (): Buffer => tlv(0x01, Buffer.from([0xff]))
/** GeneralizedTime, whole seconds (RFC 5280 §4.1.2.5.2). */
export const time = (at: Date): Buffer =>
  tlv(0x18, Buffer.from(`${at.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`))

export const pem = (label: string, der: Uint8Array): string => {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

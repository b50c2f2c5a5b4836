// Ranges of addresses as people write them: `10.0.0.0/8`, `fd00::/8`, or one address (RFC 4632 §3.1, RFC 4291 §2.3).
import { isIP } from 'node:net'
import { z } from 'zod'

export function isAddressRange(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/')
  const family = isIP(address)
  // A zone belongs to an interface of one machine, not to a range.
  if (family === 0 || address.includes('%') || more.length > 0) return false
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
}

export const addressRange = z.string().refine(isAddressRange, 'Write a range such as 10.0.0.0/8, or one address.')

/** Beside addresses: our unix socket, whose file permissions say who may connect, and a name in a client certificate. */
export const trustedProxy = z
  .string()
  .refine(
    (text) => text === 'unix' || /^certificate:./.test(text) || isAddressRange(text),
    'Write a range such as 10.0.0.0/8, one address, unix, or certificate:NAME.',
  )

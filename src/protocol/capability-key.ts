// The key that signed lists of capabilities are checked with: one EC P-256 public key as PEM (RFC 7468 §13), for ES256 (RFC 7518 §3.4).
import type { KeyObject } from 'node:crypto'
import { KeySetError, parsePublicKeys } from './public-keys.ts'

/** PEM itself, and no path of a file. */
export const isKeyText = (text: string): boolean => text.trimStart().startsWith('-----BEGIN')

const REMEDY = 'Write the EC P-256 public key as PEM (-----BEGIN PUBLIC KEY-----), or the path of its file.'

/** What is wrong with it, and what to write instead; `undefined` when it can be used. */
export function capabilityKeyFlaw(text: string): string | undefined {
  const read = read256(text)
  return typeof read === 'string' ? read : undefined
}

/** Throws TypeError for a key that `capabilityKeyFlaw` has something to say of. */
export function parseCapabilityKey(text: string): KeyObject {
  const read = read256(text)
  if (typeof read === 'string') throw new TypeError(read)
  return read
}

function read256(text: string): KeyObject | string {
  if (!isKeyText(text)) return `This is no PEM. ${REMEDY}`
  try {
    const keys = parsePublicKeys(text)
    const [key] = keys.select({ alg: 'ES256', kid: undefined })
    if (keys.size > 1) return `There are ${keys.size} keys in it, and one signs. ${REMEDY}`
    return key ?? `Its key is of another kind. ${REMEDY}`
  } catch (error) {
    if (!(error instanceof KeySetError)) throw error
    return `No key can be read: ${error.message}. ${REMEDY}`
  }
}

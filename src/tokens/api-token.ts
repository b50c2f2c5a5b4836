// An API token as people hold it: `pc_`, thirty random letters and digits (178 bits), six that check the rest. A token that was
// mistyped or cut off is refused by its form alone, and scanners find ours wherever they leaked to.
import { createHmac } from 'node:crypto'
import { crc32 } from 'node:zlib'

const API_TOKEN_PREFIX = 'pc_'
const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RANDOM_LETTERS = 30
const CHECK_LETTERS = 6
const FORM = /^pc_[0-9A-Za-z]{36}$/
/** Bytes from here on would make the first letters of the alphabet likelier than the last ones. */
const EVEN = 256 - (256 % LETTERS.length)

export function mintApiToken(random: (bytes: number) => Uint8Array): string {
  let letters = ''
  while (letters.length < RANDOM_LETTERS)
    for (const byte of random(RANDOM_LETTERS)) {
      if (byte < EVEN && letters.length < RANDOM_LETTERS) letters += LETTERS[byte % LETTERS.length]
    }
  return withCheck(API_TOKEN_PREFIX + letters)
}

const withCheck = (text: string): string => text + checkOf(text)

function checkOf(text: string): string {
  let rest = crc32(text)
  let check = ''
  for (let at = 0; at < CHECK_LETTERS; at++) {
    check = (LETTERS[rest % LETTERS.length] ?? '') + check
    rest = Math.floor(rest / LETTERS.length)
  }
  return check
}

/** Nothing secret is compared here: whoever knows a token's first letters can work out the last ones. */
export const isApiTokenForm = (text: string): boolean =>
  FORM.test(text) && text.endsWith(checkOf(text.slice(0, -CHECK_LETTERS)))

/** What lists show: three random letters, and four that only check; more than 128 bits stay untold. */
export const maskApiToken = (token: string): string => `${token.slice(0, 6)}…${token.slice(-4)}`

/** What the store keeps, and looks for: without the key a copy of the database helps nobody to try tokens. */
export const hashApiToken = (token: string, key: string): string =>
  createHmac('sha256', key).update(token).digest('base64url')

/** Names one secret of a token, in the list of revocations and wherever a stream has to end with it. */
export const secretIdOf = (hash: string): string => hash.slice(0, 22)

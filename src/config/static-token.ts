// One token for machines that can keep only that (AUTHORIZATION_BEARER_TOKEN of mcpauth): long, random, and fit for the header.
import { z } from 'zod'

const SHORTEST = 32
const FEWEST_CHARACTERS = 12
/** What stands in documentation in place of a secret. */
const PLACEHOLDER = /change[-_ ]?me|placeholder|passw|secret|your[-_ ]|example|static[-_ ]?token|1234567|abcdefg/i

/** RFC 6750 §2.1, and RFC 9700 §4: whoever guesses it is let in everywhere. */
export function staticTokenFlaw(token: string): string | undefined {
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token))
    return 'A bearer token has letters, digits and - . _ ~ + / only (RFC 6750 §2.1).'
  if (token.length >= SHORTEST && new Set(token).size >= FEWEST_CHARACTERS && !PLACEHOLDER.test(token)) return undefined
  return 'This token can be guessed. Write at least 32 random characters, such as `openssl rand -hex 32` prints.'
}

export const staticToken = z
  .string()
  .check(({ value, issues }) => {
    const message = staticTokenFlaw(value)
    // Without the input: a message must not repeat a secret.
    if (message !== undefined) issues.push({ code: 'custom', message, input: undefined })
  })
  .meta({
    secret: true,
    description:
      'One fixed token for a headless agent, at least 32 random characters; who shows it is `static-authorized-user`. API tokens are the better way: they end, and can be revoked.',
  })

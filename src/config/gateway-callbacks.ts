// The redirect proxy for other gateways (`proxy_oauth` of Solace): one redirect URI at the identity provider for many gateways.
import { z } from 'zod'
import { parseGatewayPattern } from '../protocol/gateway-uri.ts'
import { RedirectUriError } from '../protocol/redirect-uri.ts'
import { duration } from './units.ts'

interface Callbacks {
  readonly value: { readonly allowedRedirectUris: readonly string[]; readonly strict: boolean }
  readonly issues: z.core.$ZodRawIssue[]
}

/** `undefined` for a callback that can be used. */
export function callbackFlaw(text: string, rules: { strict: boolean; development: boolean }): string | undefined {
  try {
    parseGatewayPattern(text, rules)
    return undefined
  } catch (error) {
    if (!(error instanceof RedirectUriError)) throw error
    const remedy =
      rules.strict && error.reason === 'wildcard'
        ? ' Write the exact callback; only for development, set oauth.gatewayCallbacks.strict: false (strict_uri_validation: false).'
        : ''
    return `The callback ${text} ${error.message}.${remedy}`
  }
}

/** http beyond loopback is left to settle.ts, which knows whether this is development. */
function checkCallbacks({ value: { allowedRedirectUris, strict }, issues }: Callbacks): void {
  allowedRedirectUris.forEach((text, index) => {
    const message = callbackFlaw(text, { strict, development: true })
    if (message !== undefined)
      issues.push({ code: 'custom', message, input: text, path: ['allowedRedirectUris', index] })
  })
}

export const gatewayCallbacks = z
  .strictObject({
    enabled: z.boolean().default(false).describe('Serve other gateways: /login?gateway_uri, /gateway-oauth/exchange.'),
    allowedRedirectUris: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Callbacks of those gateways. Empty: none. Without `strict`, one `*` may stand for the port or for the first label of the host; `http://localhost:*` is any local callback.',
      ),
    codeTtl: duration('300s').describe('Lifetime of a gateway code.'),
    strict: z.boolean().default(true).describe('Compare callbacks letter by letter; a wildcard is then an error.'),
  })
  .check(checkCallbacks)
  .prefault({})
export type GatewayCallbacksConfig = z.output<typeof gatewayCallbacks>

/** Wildcards are for development; said at start everywhere else. */
export function wildcardWarnings(callbacks: GatewayCallbacksConfig, development: boolean): string[] {
  const { enabled, strict, allowedRedirectUris } = callbacks
  if (!enabled || strict || development) return []
  const open = allowedRedirectUris.filter((uri) => uri.includes('*'))
  const which = open.length === 0 ? '' : ` ${open.join(', ')} lets every callback of that form ask for sign-ins.`
  return [
    `oauth.gatewayCallbacks.strict (strict_uri_validation) is off outside of development.${which} Write exact callbacks and strict: true.`,
  ]
}

// The redirect proxy for other gateways (`proxy_oauth` of Solace): one redirect URI at the identity provider for many gateways.
import { z } from 'zod'
import { duration } from './units.ts'

export const gatewayCallbacks = z
  .strictObject({
    enabled: z.boolean().default(false).describe('Serve other gateways: /login?gateway_uri, /gateway-oauth/exchange.'),
    allowedRedirectUris: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Callbacks of those gateways. Empty: none. Without `strict`, `*` may stand for a port or one label of the host.',
      ),
    codeTtl: duration('300s').describe('Lifetime of a gateway code.'),
    strict: z.boolean().default(true).describe('Compare callbacks letter by letter; a wildcard is then an error.'),
  })
  .prefault({})
export type GatewayCallbacksConfig = z.output<typeof gatewayCallbacks>

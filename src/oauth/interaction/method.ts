// RFC 9110 §15.5.6: an address says which methods it knows.
import type { Exchange } from '../../http/exchange.ts'
import { RequestError } from '../../protocol/errors.ts'

export function checkMethod({ req, res }: Exchange, methods: readonly string[]): void {
  if (methods.includes(req.method ?? '')) return
  res.setHeader('Allow', methods.join(', '))
  throw new RequestError(405, 'method_not_allowed', 'This address cannot be used in this way.', {
    close: req.method !== 'HEAD',
  })
}

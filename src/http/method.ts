// RFC 9110 §15.5.6: an address says which methods it knows.
import { RequestError } from '../protocol/errors.ts'
import type { Exchange } from './exchange.ts'

export function checkMethod({ req, res }: Pick<Exchange, 'req' | 'res'>, ...methods: readonly string[]): void {
  if (methods.includes(req.method ?? '')) return
  res.setHeader('Allow', methods.join(', '))
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers
  throw new RequestError(405, 'method_not_allowed', `This address is for ${methods.join(' and ')} only.`, {
    // Nobody reads the body that comes with it.
    close: length !== undefined || coding !== undefined,
  })
}

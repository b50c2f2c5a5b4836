// The response that names its request: every head carries our id, whoever writes it.
import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'

type Head = OutgoingHttpHeaders | OutgoingHttpHeader[]

const FIELD = 'X-Request-Id'

/** The id joins a head as it is written: a field that is set before makes Node take a list of headers apart and put it together again. */
export class IdentifiedResponse extends ServerResponse {
  requestId: string | undefined = undefined

  override writeHead(status: number, reason?: string, head?: Head): this
  override writeHead(status: number, head?: Head): this
  override writeHead(status: number, second?: string | Head, third?: Head): this {
    const head = typeof second === 'string' ? third : second
    if (this.requestId !== undefined) {
      if (Array.isArray(head)) head.push(FIELD, this.requestId)
      else this.setHeader(FIELD, this.requestId)
    }
    return typeof second === 'string' ? super.writeHead(status, second, third) : super.writeHead(status, second)
  }
}

/** A server of Node's own making has plain responses: there the field is set at once. */
export function identify(res: ServerResponse, id: string): void {
  if (res instanceof IdentifiedResponse) res.requestId = id
  else res.setHeader(FIELD, id)
}

// Is this POST from a form of ours, shown to this browser? Origin first, then a token bound to what the form is for (RFC 6749 §10.12).
import { createHmac, timingSafeEqual } from 'node:crypto'
import { RequestError } from '../protocol/errors.ts'
import type { Exchange } from './exchange.ts'
import { type Form, readForm } from './form.ts'

interface Needs {
  /** Secret of the day. */
  csrfKey(): string
  readonly serverUrl: string
  /** Time for the body to arrive, milliseconds. */
  readonly bodyTimeout: number
}

export interface PostGuard {
  /** The value of the form's hidden `csrf` field. `binding` names the form and what binds it to the browser. */
  token(binding: string): string
  /** The posted form, or RequestError 403. */
  read(exchange: Exchange, binding: string): Promise<Form>
  /** As `read`, for a binding that comes with the form. */
  readBound(exchange: Exchange, bindingOf: (form: Form) => string): Promise<Form>
}

export function postGuard({ csrfKey, serverUrl, bodyTimeout }: Needs): PostGuard {
  const { origin } = new URL(serverUrl)
  const token = (binding: string) => createHmac('sha256', csrfKey()).update(`form\n${binding}`).digest('base64url')

  async function readBound(exchange: Exchange, bindingOf: (form: Form) => string): Promise<Form> {
    checkOrigin(exchange.req.headers, origin)
    const form = await readForm(exchange, bodyTimeout)
    checkToken(form.get('csrf') ?? '', token(bindingOf(form)))
    return form
  }
  return { token, readBound, read: (exchange, binding) => readBound(exchange, () => binding) }
}

type Headers = Exchange['req']['headers']

/** Browsers send Origin with every POST. Without one: what Fetch Metadata says, and a program that has neither still needs the token. */
function checkOrigin(headers: Headers, origin: string): void {
  const site = headers['sec-fetch-site']
  const isOurs = headers.origin === undefined ? site === undefined || site === 'same-origin' : headers.origin === origin
  if (!isOurs) throw new RequestError(403, 'foreign_origin', 'This form was sent from another site.', { close: true })
}

function checkToken(given: string, expected: string): void {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)]
  if (one.length !== other.length || !timingSafeEqual(one, other))
    throw new RequestError(
      403,
      'csrf_mismatch',
      'This form is not valid any more. Go back, reload the page and try again.',
    )
}

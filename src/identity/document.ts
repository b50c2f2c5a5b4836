// JSON that an issuer publishes (metadata, keys, introspection), and what can be wrong with getting it, in words for the operator.

/** One request, without redirects, bounded in size and time; handed in, since this room has no HTTP of its own. Rejects with a `reason`. */
export type FetchDocument = (
  url: string,
  post?: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
) => Promise<{ readonly status: number; readonly headers: Headers; readonly body: Buffer }>

/** What one party may be asked by: addresses the administrator wrote may be in the house, those that others name may not. */
export interface Fetches {
  readonly configured: FetchDocument
  readonly named: FetchDocument
}

/** The message says what is wrong and what to do. `reason` is stable. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError'
  readonly reason: string

  constructor(reason: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.reason = reason
  }
}

/** By the reasons of an outbound request that was not made, or not read to its end. */
const FLAWS: Readonly<Record<string, string>> = {
  url: 'this is no address to fetch from',
  scheme: 'it must be https, except on this machine',
  address: 'its host is not on the public internet; name it in the configuration if it is one of yours',
  unresolved: 'its host name does not resolve',
  unreachable: 'nothing answers there',
  encoding: 'it is compressed although we asked for it plain',
  size: 'it is larger than 1 MB',
  deadline: 'it did not answer in time',
}

/** The text of a 200; anything else is told as a DocumentError. `what`: how the message calls it. */
export async function fetchText(fetch: FetchDocument, url: string, what: string): Promise<string> {
  const answer = await fetch(url).catch((cause: unknown) => {
    throw unfetched(cause, `${what} ${url}`)
  })
  if (answer.status === 200) return answer.body.toString()
  const said = answer.status >= 300 && answer.status < 400 ? 'a redirect, which is not followed' : `${answer.status}`
  throw new DocumentError(`status_${answer.status}`, `${what} ${url} answers ${said}.`)
}

export function unfetched(cause: unknown, what: string): DocumentError {
  const reason = (cause as { reason?: unknown } | undefined)?.reason
  if (typeof reason !== 'string' || FLAWS[reason] === undefined) throw cause
  return new DocumentError(reason, `${what} cannot be fetched: ${FLAWS[reason]}.`, cause)
}

// The one page that the library shows by itself: an authorization request that cannot be answered to the client (RFC 6749 §4.1.2.1).
import { type ErrorOut, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { pageHeaders } from '../http/page.ts'
import { TITLE } from './answers.ts'
import { currentCall } from './call.ts'
import { errorPage } from './interaction/pages/error.ts'

/** An application that kept the id of a registration that has ended, or was never here. The person in front of it can end that. */
const UNKNOWN_APPLICATION =
  'The application that sent you is not registered here, or not any more. Let it forget this server and the sign-in it kept, and connect it again.'

export function renderError(ctx: KoaContextWithOIDC, out: ErrorOut, error?: Error): void {
  ctx.set(pageHeaders())
  ctx.body = errorPage({
    title: TITLE,
    detail: isUnknownClient(error) ? UNKNOWN_APPLICATION : `${out.error}: ${out.error_description ?? ''}`,
    requestId: currentCall()?.exchange.id,
  })
}

/** The library says the same of every flaw of a client; only its detail, meant for logs, tells the one that is not there. */
const isUnknownClient = (error: Error | undefined): boolean =>
  error instanceof errors.InvalidClient && error.error_detail === 'client not found'

// The one page that the library shows by itself: an authorization request that cannot be answered to the client (RFC 6749 §4.1.2.1).
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider'
import { pageHeaders } from '../http/page.ts'
import { type ErrorPage, TITLE } from './answers.ts'
import { currentCall } from './call.ts'

export function errorRenderer(errorPage: ErrorPage) {
  return function renderError(ctx: KoaContextWithOIDC, out: ErrorOut): void {
    const call = currentCall()
    ctx.set(pageHeaders())
    ctx.body = errorPage({
      title: TITLE,
      detail: `${out.error}: ${out.error_description ?? ''}`,
      ...(call === undefined ? {} : { requestId: call.exchange.id }),
    })
  }
}

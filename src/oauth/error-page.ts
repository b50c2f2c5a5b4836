// The one page that the library shows by itself: an authorization request that cannot be answered to the client (RFC 6749 §4.1.2.1).
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider'
import { pageHeaders } from '../http/page.ts'
import { TITLE } from './answers.ts'
import { currentCall } from './call.ts'
import { errorPage } from './interaction/pages/error.ts'

export function renderError(ctx: KoaContextWithOIDC, out: ErrorOut): void {
  ctx.set(pageHeaders())
  ctx.body = errorPage({
    title: TITLE,
    detail: `${out.error}: ${out.error_description ?? ''}`,
    requestId: currentCall()?.exchange.id,
  })
}

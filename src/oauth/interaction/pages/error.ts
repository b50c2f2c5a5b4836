// The page that says no: what happened, what the person can do, and the number under which the log tells why.
import { html, shown } from '../../../http/html.ts'
import { frame } from '../../../http/page-frame.ts'

export interface ErrorPage {
  readonly title: string
  /** Plain text; a stranger's words are made harmless here. */
  readonly detail: string
  readonly requestId?: string | undefined
  /** Where to go on. */
  readonly link?: { readonly href: string; readonly label: string } | undefined
}

export function errorPage({ title, detail, requestId, link }: ErrorPage): string {
  return frame({
    title: shown(title, 120),
    body: html`<h1>${shown(title, 120)}</h1>
<p>${shown(detail, 400)}</p>
${link !== undefined && html`<p><a class="button second" href="${link.href}">${link.label}</a></p>`}`,
    foot:
      requestId !== undefined
        ? html`If this keeps happening, tell your administrator this request id: <code>${requestId}</code>`
        : undefined,
  })
}

// The frame of every page: mark, host, content. No script, no style attribute, nothing from another address.
import { LOGO_URL, STYLESHEET_URL } from './assets.ts'
import { type Html, html } from './html.ts'

export interface Frame {
  readonly title: string
  readonly body: Html
  /** Public host of this gate, so that people see where they are. */
  readonly host?: string | undefined
  readonly foot?: Html | undefined
}

export function frame({ title, body, host, foot }: Frame): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title} · Portcullis</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="${LOGO_URL}">
<link rel="stylesheet" href="${STYLESHEET_URL}">
</head>
<body>
<header><img src="${LOGO_URL}" alt="" width="30" height="30"><span>Portcullis</span>${host !== undefined && html`<span class="host">${host}</span>`}</header>
<main>
${body}
</main>
${foot !== undefined && html`<footer>${foot}</footer>`}
</body>
</html>
`.markup
}

/** A form with one button, which is all that most questions need. */
export function buttonForm(form: { action: string; csrf: string; label: string; look?: 'second' | 'plain' }): Html {
  return html`<form method="post" action="${form.action}"><input type="hidden" name="csrf" value="${form.csrf}"><button type="submit"${form.look !== undefined && html` class="${form.look}"`}>${form.label}</button></form>`
}

/** What went wrong, read out by a screen reader at once and first in the tab order. */
export const alertNote = (text: string): Html =>
  html`<div class="note bad" role="alert" tabindex="-1" autofocus><p>${text}</p></div>`

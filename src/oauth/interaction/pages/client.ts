// The client in words: its name is only what it says of itself, so where the answer goes is always beside it.

import { type Html, html, shown } from '../../../http/html.ts'
import { extensionOf } from '../../../protocol/redirect-uri.ts'
import type { Interaction } from '../flow.ts'

export function clientName({ client }: Interaction): string {
  return shown(client.name, 60) || shown(client.id, 60) || 'An application'
}

/** Who vouches for the name. */
export function clientOrigin({ client }: Interaction): string {
  if (client.kind === 'configured') return 'Known to this server.'
  if (client.kind === 'gateway') return 'A gateway that this server signs people in for.'
  if (client.kind === 'document') return `Described by ${shown(client.documentHost ?? 'its own document', 253)}.`
  return 'It registered itself; nobody has checked its name.'
}

/** Host as browsers compare it (`xn--…` stays: a look-alike letter shows). Behind an app's scheme it is shown where it says who answers. */
export function redirectHost({ redirectUri, redirectKind }: Interaction): string {
  if (!URL.canParse(redirectUri)) return 'an unreadable address'
  const { protocol, host } = new URL(redirectUri)
  return redirectKind === 'scheme' ? `${protocol}//${extensionIn(redirectUri) ?? ''}` : host
}

/** What waits there, where that is no host of its own. */
export function redirectPlace({ redirectUri, redirectKind }: Interaction): string | undefined {
  if (redirectKind === 'web') return undefined
  return extensionIn(redirectUri) === undefined
    ? 'A program on this computer'
    : 'An extension of an editor on this computer'
}

function extensionIn(redirectUri: string): string | undefined {
  const extension = extensionOf(redirectUri)
  return extension && shown(extension, 100)
}

/** RFC 8252 §8.4, MCP 2026-07-28, Authorization: whoever listens there gets the answer, whatever name was shown. */
export function redirectWarning(interaction: Interaction): Html | undefined {
  if (interaction.redirectKind === 'web') return undefined
  return html`<div class="note warn"><p><strong>Did you start this yourself?</strong></p><p>${reach(interaction)} Go on only if you have just asked ${html`<bdi>${clientName(interaction)}</bdi>`} to connect.</p></div>`
}

function reach({ redirectUri, redirectKind }: Interaction): Html {
  if (redirectKind === 'loopback')
    return html`The answer goes to this computer, and any program on this computer could be waiting for it.`
  const scheme = redirectUri.split(':', 1)[0] ?? ''
  const extension = extensionIn(redirectUri)
  const further =
    extension &&
    html` An editor hands it to its extension <strong><bdi>${extension}</bdi></strong>: make sure that you use that one.`
  return html`The answer goes to whichever program on this computer opens ${scheme}:// links; any program can claim them.${further}`
}

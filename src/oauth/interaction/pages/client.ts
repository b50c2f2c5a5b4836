// The client in words: its name is only what it says of itself, so where the answer goes is always beside it.

import { type Html, html, shown } from '../../../http/html.ts'
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

/** Host as browsers compare it (`xn--…` stays: a look-alike letter shows). */
export function redirectHost({ redirectUri, redirectKind }: Interaction): string {
  if (!URL.canParse(redirectUri)) return 'an unreadable address'
  const { protocol, host } = new URL(redirectUri)
  return redirectKind === 'scheme' ? `${protocol}//` : host
}

/** RFC 8252 §8.4, MCP 2026-07-28, Authorization: whoever listens there gets the answer, whatever name was shown. */
export function redirectWarning(interaction: Interaction): Html | undefined {
  if (interaction.redirectKind === 'web') return undefined
  const reach =
    interaction.redirectKind === 'loopback'
      ? 'The answer goes to this computer, and any program on this computer could be waiting for it.'
      : `The answer goes to whichever program on this computer opens ${redirectHost(interaction)} links; any program can claim them.`
  return html`<div class="note warn"><p><strong>Did you start this yourself?</strong></p><p>${reach} Go on only if you have just asked ${html`<bdi>${clientName(interaction)}</bdi>`} to connect.</p></div>`
}

// One-time tickets whose content is a secret, such as the verifier of a request under way (RFC 7636 §4.1): whoever reads the table can do
// nothing with it, and one that was moved or altered is none.
import type { Tickets } from '../store/ephemeral.ts'
import { type SealKey, seal, unseal } from './seal.ts'

/** Metadata of an authorization server is in some of them. */
const LONGEST = 1024 * 1024

export function sealedTickets(tickets: Tickets, sealKeys: () => readonly SealKey[]): Tickets {
  const bindingOf = (kind: string, idHash: string) => `ticket\0${kind}\0${idHash}`
  function open(kind: string, idHash: string, found: Record<string, unknown> | undefined) {
    const sealed = found?.['sealed']
    return typeof sealed === 'string' ? unseal(sealKeys(), bindingOf(kind, idHash), sealed, LONGEST) : undefined
  }
  return {
    put: ({ payload, ...ticket }) =>
      tickets.put({
        ...ticket,
        payload: { sealed: seal(sealKeys(), bindingOf(ticket.kind, ticket.idHash), payload) },
      }),
    find: async (kind, idHash, now) => open(kind, idHash, await tickets.find(kind, idHash, now)),
    take: async (kind, idHash, now) => open(kind, idHash, await tickets.take(kind, idHash, now)),
  }
}

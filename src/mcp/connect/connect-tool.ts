// What a server offers to somebody who has no account of theirs connected there: one tool, which says so. Clients call it broken when a
// server refuses the handshake or has nothing, and models read what its tools are for.
// MCP 2025-11-25 and 2026-07-28, Tools.
import type { Entry, Offer } from '../aggregate/catalog/offer.ts'

export const CONNECT_TOOL = 'connect_account'

export interface ConnectPlace {
  readonly title: string
  /** Address of our page for this server; of no person, so that it may be read by others. `undefined`: for a service, which opens none. */
  readonly page: string | undefined
}

/** To a service, and to whoever runs it. */
export const noService = (title: string): string =>
  `${title} is used with accounts that people connect in a browser, which a service cannot do. Credentials of these types work for services: headers, query, client-credentials, token-exchange, vault, caller.`

const made = new WeakSet<Entry>()

/** Ours, and not one of a server that has a tool of that name. */
export const isConnectTool = (entry: Entry): boolean => made.has(entry)

export function unconnectedOffer({ title, page }: ConnectPlace): Offer {
  const tool: Entry = {
    name: CONNECT_TOOL,
    title: page === undefined ? `No account at ${title}` : `Connect your account at ${title}`,
    description:
      page === undefined
        ? noService(title)
        : `The tools of ${title} appear when the user has connected an account of their own there: ${page} (to be opened by the user in a browser). Calling this tool brings the link.`,
    inputSchema: { type: 'object', properties: {} },
    annotations: { readOnlyHint: true },
  }
  made.add(tool)
  const none = { entries: [] }
  return {
    era: 'legacy',
    // Whatever it turns out to have, clients have to hear of it.
    capabilities: { tools: {}, prompts: {}, resources: {} },
    instructions:
      page === undefined
        ? noService(title)
        : `The user has to connect an account of their own at ${title} before it can be used: ${page}`,
    lists: { tools: { entries: [tool] }, prompts: none, resources: none, resourceTemplates: none },
    ttl: undefined,
  }
}

// Connecting accounts in the flow, on the ground of the gateway: what a client is told when a call needs one.
import { isConnected } from '../config/credentials.ts'
import { upstreamsOf } from '../config/servers.ts'
import { createConnect } from '../mcp/connect/connect.ts'
import { unconnectedOffer } from '../mcp/connect/connect-tool.ts'
import { CONNECT_PATH, TOKENS_PATH } from '../protocol/sign-in-client.ts'
import { connectionRequests } from '../tokens/connection-request.ts'
import type { Caller } from '../upstreams/caller.ts'
import type { Ground } from './ground.ts'

export function openConnect({ config, keyring, store, clock }: Ground) {
  const { url } = config.server
  const { sealKeys } = keyring
  const servers = new Map(
    upstreamsOf(config.servers).flatMap((each) => (isConnected(each.credentials) ? [[each.id, each]] : [])),
  )
  const requests = connectionRequests({ sealKeys, marks: store.ephemeral.marks, clock })
  const titleOf = (server: string): string => servers.get(server)?.title ?? server
  return {
    connect: createConnect({
      titleOf,
      linkFor(request) {
        const id = requests.seal(request)
        // What is pasted is pasted at the address that Kuadrant’s gateway has for it.
        const isPasted = servers.get(request.server)?.credentials.type === 'secret'
        return { id, url: url + (isPasted ? `${TOKENS_PATH}?elicitation_id=${id}` : `${CONNECT_PATH}?request=${id}`) }
      },
      sealKeys,
      clock,
    }),
    isConnectable: (server: string) => servers.has(server),
    unconnectedOffer(server: string, caller: Caller | undefined) {
      const page = caller?.principal.kind === 'service' ? undefined : `${url}${CONNECT_PATH}?server=${server}`
      return unconnectedOffer({ title: titleOf(server), page })
    },
  }
}

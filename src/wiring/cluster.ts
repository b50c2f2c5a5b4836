// This replica among the others, where `cluster.advertise` says how they reach it: what it hands on, and the listener for what it is handed.
import { randomBytes } from 'node:crypto'
import { lookupBy } from '../http/configured-fetch.ts'
import type { Endpoint } from '../http/exchange.ts'
import type { Handle } from '../http/in-flight.ts'
import { createListener, type Listener } from '../http/listener.ts'
import { createHandOn, type HandOn } from '../mcp/cluster/hand-on.ts'
import { createReceiver } from '../mcp/cluster/receive.ts'
import { createMembership } from '../mcp/cluster/replicas.ts'
import { rarely } from '../observe/rarely.ts'
import type { Ground, Opened } from './ground.ts'

export type ReplicaListener = Pick<Listener, 'use' | 'close'> & { open(): Promise<unknown> }

export interface Cluster {
  /** This boot of this replica. */
  readonly self: string
  /** `undefined`: there are no others. */
  readonly handOn: HandOn | undefined
  handle(match: (path: string) => Endpoint | undefined): Handle
  listener(handle: Handle): ReplicaListener
  /** From now on others find it. */
  join(): Promise<void>
  leave(): Promise<void>
}

const TOLD = { every: 60_000, most: 50 }
export const NO_UPGRADES = { takes: () => false, handle: () => undefined }
const CLOSED: ReplicaListener = { use: () => undefined, open: async () => undefined, close: async () => undefined }

export function openCluster({ config, keyring, store, names, clock, log, onError }: Ground, opened: Opened): Cluster {
  const self = randomBytes(9).toString('base64url')
  const { advertise, listen } = config.cluster
  if (advertise === undefined)
    return {
      self,
      handOn: undefined,
      handle: () => () => undefined,
      listener: () => CLOSED,
      join: async () => undefined,
      leave: async () => undefined,
    }
  const { sealKeys } = keyring
  const { limits } = config.server
  const membership = createMembership({ self, address: advertise, rows: store.ephemeral.replicas, clock, onError })
  const { handOn, endLasting, close } = createHandOn({ membership, clock, lookup: lookupBy(names.resolve), sealKeys })
  opened.push(close)
  const isTime = rarely({ ...TOLD, clock })
  return {
    self,
    handOn,
    handle: (match) =>
      createReceiver({
        self,
        clock,
        sealKeys,
        match,
        mostBody: limits.body,
        onRefused(reason, from) {
          if (isTime(`${reason} ${from}`))
            log.warn({ reason, from }, 'what came to the listener for replicas was refused')
        },
        onError: (error) => log.error({ error }, 'a request of another replica could not be served'),
      }),
    listener: (handle) =>
      createListener({ listen: listen ?? everywhere(advertise), limits, handle, upgrades: NO_UPGRADES, log }),
    join: membership.join,
    async leave() {
      endLasting()
      await membership.leave()
    },
  }
}

const everywhere = (advertise: string): string => `0.0.0.0:${new URL(advertise).port || '80'}`

// What a start says of lists of headers and of identity forwarding: what is written there and has no effect.
import { passageOf, targetFlaw } from '../protocol/passage.ts'
import type { PassthroughConfig } from './forwarding.ts'
import type { Config } from './schema.ts'
import { upstreamsOf } from './servers.ts'

export function forwardingWarnings({ servers, passthrough }: Pick<Config, 'servers' | 'passthrough'>): string[] {
  const upstreams = upstreamsOf(servers)
  const lists: [place: string, list: PassthroughConfig][] = [
    ['passthrough.headers', passthrough.headers],
    ...upstreams.flatMap(({ id, passthroughHeaders: list }): [string, PassthroughConfig][] =>
      list === undefined ? [] : [[`servers.${id}.passthroughHeaders`, list]],
    ),
  ]
  return [
    ...lists.flatMap(([place, list]) => (Array.isArray(list) ? list.flatMap((entry) => flawOf(place, entry)) : [])),
    ...upstreams.flatMap((server) => ('command' in server ? headless(server) : [])),
  ]
}

type Entry = Extract<PassthroughConfig, readonly unknown[]>[number]

function flawOf(place: string, entry: Entry): string[] {
  const { from, to } = typeof entry === 'string' ? { from: entry, to: entry } : entry
  const passage = passageOf(from)
  if (passage.kind === 'never') return [`${place} names ${from}, which goes to no server: ${passage.because}.`]
  const flaw = targetFlaw(from, to)
  return flaw === undefined ? [] : [`${place} makes ${to} of ${from}, which is not done: ${flaw}.`]
}

/** A child process gets messages alone. */
function headless({
  id,
  identity,
  passthroughHeaders,
}: Pick<ReturnType<typeof upstreamsOf>[number], 'id' | 'identity' | 'passthroughHeaders'>): string[] {
  return [
    ...(identity?.headers === true
      ? [`servers.${id}.identity.headers has no effect: a child process sees no headers. Write meta: true.`]
      : []),
    ...(identity?.jwt === true && identity.meta === false
      ? [`servers.${id}.identity.jwt has no effect: it is told in the message, and meta is off. Write meta: true.`]
      : []),
    ...(passthroughHeaders !== undefined
      ? [`servers.${id}.passthroughHeaders has no effect: a child process sees no headers.`]
      : []),
  ]
}

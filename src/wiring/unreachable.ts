// Which servers cannot be reached at this moment: for a look at a configuration before it is used. Child processes are not started.

import type { Config } from '../config/schema.ts'
import { upstreamsOf } from '../config/servers.ts'
import { createConnect } from '../upstreams/network/connect.ts'
import { surroundings } from './surroundings.ts'

const silence = (): void => undefined

export interface Unreachable {
  readonly id: string
  /** Code of the error. */
  readonly code: string
  readonly message: string
}

/** Throws OperatorError for a file of their TLS that cannot be used. Takes no longer than the longest `connectTimeout`, or two of them. */
export async function findUnreachable({ servers }: Pick<Config, 'servers'>): Promise<Unreachable[]> {
  const around = surroundings({ clock: Date.now, log: { info: silence, warn: silence } })
  const remote = upstreamsOf(servers).flatMap((config) =>
    'url' in config ? [{ id: config.id, way: createConnect(config, around) }] : [],
  )
  const tried = remote.map(async ({ id, way }): Promise<Unreachable[]> => {
    try {
      const socket = await way.open()
      socket.on('error', silence).destroy()
      return []
    } catch (error) {
      const { code = 'unknown', message } = error as NodeJS.ErrnoException
      return [{ id, code, message }]
    } finally {
      way.close()
    }
  })
  return (await Promise.all(tried)).flat()
}

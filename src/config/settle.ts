// What follows from several settings together: the public URL, absolute paths, whose origins count. Pure but for name resolution.
import type { z } from 'zod'
import { type Starts, withAbsolutePaths } from './absolute-paths.ts'
import { checkChannels } from './channels.ts'
import { checkConnectable } from './connections.ts'
import { checkCredentials } from './credential-flaws.ts'
import { checkEdges } from './edges.ts'
import { withIdentityTold } from './identity-told.ts'
import { formatListen, isLoopback, localUrl, parseListen } from './listen.ts'
import { pathText } from './origins.ts'
import { checkPlainHttp, type ResolveHost } from './plain-http.ts'
import { type Problem, placeOf } from './problems.ts'
import type { Config } from './schema.ts'
import { checkServerTransport } from './server-transport.ts'
import { checkTransport, type Flaw } from './transport.ts'
import { checkWays } from './ways.ts'

type Parsed = z.output<typeof Config>

interface Surroundings extends Starts {
  readonly resolveHost: ResolveHost
}

export async function settle(parsed: Parsed, around: Surroundings): Promise<{ config: Config; problems: Problem[] }> {
  const { server } = parsed
  const listen = parseListen(server.listen)
  // A socket file has no name that people could type; that server.url is missing then is one of the problems.
  const url = server.url?.replace(/\/+$/, '') ?? localUrl(listen ?? { port: 80 }, server.tls !== undefined)
  const origins = server.allowedOrigins ?? (listen !== undefined && isLoopback(listen.host) ? ['loopback'] : [])
  const allowedOrigins = origins.includes('loopback') ? 'loopback' : origins
  const settled = withServer(parsed, {
    listen: listen === undefined ? server.listen.trim() : formatListen(listen),
    url,
    allowedOrigins,
  })
  const flaws = [
    ...checkTransport(settled, server.url !== undefined),
    ...checkServerTransport(settled),
    ...checkChannels(settled),
    ...checkWays(settled),
    ...checkConnectable(settled),
    ...checkCredentials(settled),
    ...checkEdges(settled),
    ...(await checkPlainHttp(settled, around.resolveHost)),
  ]
  return {
    config: withIdentityTold(withAbsolutePaths(settled, around)),
    problems: flaws.map((flaw) => problemOf(flaw, around)),
  }
}

function withServer(parsed: Parsed, at: Pick<Config['server'], 'listen' | 'url' | 'allowedOrigins'>): Config {
  return { ...parsed, server: { ...parsed.server, ...at } }
}

const problemOf = ({ path, message, remedy }: Flaw, { input }: Surroundings): Problem => ({
  place: placeOf(input.find(path)),
  setting: pathText(path),
  message,
  remedy,
})

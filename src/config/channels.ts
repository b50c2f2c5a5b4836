// What the settings of a server that is spoken to over one lasting channel (a command, HTTP+SSE, WebSocket) ask of each other. Pure.
import { isChannel } from '../protocol/transports.ts'
import { isPersonal } from './credentials.ts'
import type { Config } from './schema.ts'
import { type RemoteServerConfig, type StdioServerConfig, upstreamsOf } from './servers.ts'
import type { Flaw } from './transport.ts'

type Found = Omit<Flaw, 'path'> & { readonly key: string }

export function checkChannels({ servers }: Pick<Config, 'servers'>): Flaw[] {
  const upstreams = new Set<unknown>(upstreamsOf(servers))
  return servers.flatMap((server, index) => {
    if (!upstreams.has(server) || !('credentials' in server)) return []
    const found = [...('command' in server ? commandFlaws(server) : remoteFlaws(server)), ...instanceFlaws(server)]
    return found.map(({ key, ...told }) => ({ ...told, path: ['servers', index, key] }))
  })
}

function remoteFlaws(server: RemoteServerConfig): Found[] {
  if (isChannel(server) || server.instances === undefined) return []
  const remedy = 'Take `instances` away, or write `transport: sse`.'
  return [{ key: 'instances', message: 'Over Streamable HTTP nothing lasts that callers could share.', remedy }]
}

/** What a loader or an interpreter obeys before the program is asked: whoever gives the credential would run what they like. */
const OBEYED =
  /^(?:LD_|DYLD_|NODE_|NPM_|PYTHON|PERL|RUBY|BASH_|GIT_|JAVA_|_JAVA|GCONV_|GLIBC_)|^(?:PATH|HOME|IFS|ENV|SHELL|SHELLOPTS|TMPDIR|PS4|EDITOR|PAGER)$/

function commandFlaws({ credentials, credentialEnv: name, env }: StdioServerConfig): Found[] {
  const flaws: Found[] = []
  const flaw = (key: string, message: string, remedy: string): void => void flaws.push({ key, message, remedy })
  if (credentials.type !== 'none' && name === undefined)
    flaw('credentials', 'The program would not be told its credential.', 'Name the variable in `credentialEnv`.')
  if (credentials.type === 'none' && name !== undefined)
    flaw('credentialEnv', 'There is no credential for it.', 'Write `credentials`, or a value under `env`.')
  if (credentials.type === 'query')
    flaw('credentials', 'A program has no address that something could be added to.', 'Write `type: headers`.')
  if (credentials.type === 'headers' && Object.keys(credentials.headers).length > 1)
    flaw('credentials', 'One variable holds one value.', 'Write one header.')
  if (name !== undefined && OBEYED.test(name))
    flaw('credentialEnv', `${name} tells others than the program what to do.`, 'Write another name.')
  if (name !== undefined && env[name] !== undefined)
    flaw('credentialEnv', `${name} is written under env, too.`, 'Take one of them away.')
  return flaws
}

function instanceFlaws({ credentials, instances }: RemoteServerConfig | StdioServerConfig): Found[] {
  if (instances === undefined || instances === 'per-principal' || !isPersonal(credentials)) return []
  const message = `Each caller has a credential of their own (${credentials.type}), and what callers share has one.`
  return [{ key: 'instances', message, remedy: 'Write `instances: per-principal`.' }]
}

// An MCP server as a child process: started at its first use, given its credential in its environment.
import { join } from 'node:path'
import type { StdioServerConfig } from '../../../config/servers.ts'
import type { Clock } from '../../../protocol/clock.ts'
import type { Given } from '../../upstream.ts'
import { type Channel, createChannel } from '../channel.ts'
import type { Whose } from '../instances.ts'
import { type ChannelLog, rememberSecrets, saidLog, withoutScheme } from '../said.ts'
import { findProgramFlaw } from './program.ts'
import { openChild } from './transport.ts'
import { type Machine, wrapperOf } from './wrapper.ts'

export interface ChildNeeds {
  readonly log: ChannelLog
  readonly clock: Clock
  /** Our own folder; those of the servers are in it. */
  readonly directory: string
  readonly machine?: Machine
  report(outcome: { ok: true } | { ok: false; reason: string }): void
}

/** Throws OperatorError where this machine cannot keep what is asked. */
export function childOpener(config: StdioServerConfig, needs: ChildNeeds): (whose: Whose) => Channel {
  const { id, command, env, limits, requestTimeout, idleTimeout } = config
  const { log, clock, directory, report } = needs
  const wrapper = wrapperOf(config, directory, needs.machine)
  const ownFolder = join(directory, 'servers', id)
  const flaw = findProgramFlaw(config, ownFolder)
  if (flaw !== undefined) {
    // It may be put there later, and each call tries: the gate starts without it.
    const { setting, message, remedy } = flaw
    log.warn({ server: id, setting: `servers.${id}.${setting}`, cause: message, remedy }, 'a server cannot be started')
    report({ ok: false, reason: 'spawn' })
  }

  return ({ mark, declares, granted, admit, renewed }) => {
    const secrets = rememberSecrets()
    const personal = mark !== undefined
    const folder = config.cwd ?? (personal ? join(ownFolder, mark) : ownFolder)
    const say = saidLog({
      log,
      clock,
      server: id,
      secrets: () => [...Object.values(env), ...secrets.all()],
    })
    return createChannel(
      { id, requestTimeout, idleTimeout },
      {
        personal,
        declares,
        log,
        clock,
        admit,
        granted,
        renewed,
        report,
        onJunk: (line) => say(line, 'the server wrote what is no message'),
        open: (ears) => {
          const { given } = granted()
          secrets.note(given)
          return openChild(
            {
              id,
              command,
              folder,
              ownFolder: config.cwd === undefined,
              env: { ...env, ...credentialIn(config.credentialEnv, given) },
              wrapper,
              longest: limits.line,
            },
            ears,
            (line) => say(line, 'the server says'),
          )
        },
      },
    )
  }
}

/** `Authorization` where it is among them. */
function credentialIn(name: string | undefined, { headers }: Given): Record<string, string> {
  const value = headers['authorization'] ?? Object.values(headers)[0]
  return name === undefined || value === undefined ? {} : { [name]: withoutScheme(value) }
}

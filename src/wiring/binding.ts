// What each server behind the gate is given and told for a caller: the parts, from the configuration.
import type { Config } from '../config/schema.ts'
import { upstreamsOf } from '../config/servers.ts'
import type { Log } from '../observe/log.ts'
import { rarely } from '../observe/rarely.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Vault } from '../protocol/vault.ts'
import { assertionMinter } from '../tokens/assertion.ts'
import type { Keyring } from '../tokens/keyring.ts'
import { type Binding, type Bound, createBinding } from '../upstreams/binding.ts'
import { CredentialFailed } from '../upstreams/credential.ts'
import type { Upstreams } from '../upstreams/upstream.ts'
import type { OpenConnections } from './connections.ts'
import { forwardingOf } from './forwarding.ts'
import type { Names } from './names.ts'
import { openUpstreamCredentials, type UpstreamCredentials } from './upstream-credentials.ts'

const TOLD = { every: 60_000, most: 20 }

interface Needs {
  readonly config: Config
  readonly upstreams: Pick<Upstreams, 'get'>
  readonly vault: Vault
  readonly connections: Pick<OpenConnections, 'oauth' | 'secret'>
  readonly keyring: Keyring
  readonly names: Names
  readonly clock: Clock
  readonly log: Log
}

export interface OpenBinding extends Pick<UpstreamCredentials, 'signIns'> {
  readonly binding: Binding
  close(): void
}

/** Throws OperatorError where a credential that has to be there is not. */
export async function openBinding(needs: Needs): Promise<OpenBinding> {
  const { config, upstreams, keyring, clock } = needs
  const mintAssertion = assertionMinter({ keyring, issuer: config.server.url, clock })
  const onFailure = tellFailures(needs)
  const credentials = openUpstreamCredentials({ ...needs, mintAssertion, onFailure })
  const forwarding = forwardingOf({ ...needs, mintAssertion })
  const parts = new Map<string, Bound>()
  for (const server of upstreamsOf(config.servers)) {
    const told = forwarding(server)
    const isToldNothing = told.identity === undefined && told.passthrough === undefined
    const isPlain = server.credentials.type === 'none' && isToldNothing && server.lists === 'shared'
    // One that nothing is added for costs a look-up.
    if (isPlain) continue
    parts.set(server.id, {
      ...told,
      credential: await credentials.open(server),
      personalLists: server.lists === 'personal',
    })
  }
  return {
    binding: createBinding(parts, upstreams, onFailure),
    signIns: credentials.signIns,
    close() {
      for (const { credential } of parts.values()) credential.close?.()
    },
  }
}

/** Each step that fails at a server, once a minute: every caller may cause it. */
function tellFailures({ log, clock }: Needs) {
  const isTime = rarely({ ...TOLD, clock })
  return (server: string, error: unknown): void => {
    const step = error instanceof CredentialFailed ? error.step : 'internal_error'
    if (isTime(`${server} ${step}`)) log.warn({ server, step, error }, 'no credential for a server')
  }
}

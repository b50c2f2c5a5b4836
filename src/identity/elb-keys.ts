// The keys AWS load balancers sign with: one PEM document a key, under the key's own name. A name decides what is asked for, so it must
// be a UUID and nothing else, and strangers can have only so many of them looked up.
import type { KeyObject } from 'node:crypto'
import type { Log } from '../observe/log.ts'
import { rarely } from '../observe/rarely.ts'
import type { Clock } from '../protocol/clock.ts'
import { type PublicKeys, parsePublicKeys } from '../protocol/public-keys.ts'
import { type FetchDocument, fetchText } from './document.ts'
import { unavailable } from './introspection.ts'
import type { FindKeys } from './jwt.ts'
import { type Lasting, lasting, Unavailable } from './lasting.ts'

const ARN = /^arn:(aws|aws-us-gov):elasticloadbalancing:([a-z0-9-]+):/

/** Where AWS publishes the keys of that load balancer's region; `undefined` for a partition that says nothing of it. */
export function loadBalancerKeys(signer: string): string | undefined {
  const [, partition, region] = ARN.exec(signer) ?? []
  if (region === undefined) return undefined
  return partition === 'aws'
    ? `https://public-keys.auth.elb.${region}.amazonaws.com`
    : `https://s3-${region}.amazonaws.com/aws-elb-public-keys-prod-${region}`
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const MOST_HELD = 100
/** A load balancer has one key at a time; every other new name is made up, or its neighbour's. */
const NEW_NAMES = { every: 30_000, most: 10 }

interface Needs {
  /** Address under which the keys are. */
  readonly keys: string
  /** For the log: whose keys. */
  readonly of: string
  readonly fetch: FetchDocument
  readonly clock: Clock
  readonly log: Log
}

/** Throws RequestError 503 where a key cannot be had now. */
export function elbKeys({ keys: base, of, fetch, clock, log }: Needs): FindKeys {
  const held = new Map<string, Lasting<PublicKeys>>()
  const mayLookUp = rarely({ ...NEW_NAMES, clock })

  function open(name: string): Lasting<PublicKeys> {
    const known = held.get(name)
    if (known !== undefined) return known
    // Neither good nor bad: it was not looked at.
    if (!mayLookUp(name)) throw unavailable(undefined, NEW_NAMES.every / 1000)
    const uri = `${base.replace(/\/$/, '')}/${name}`
    const opened = lasting({
      fetch: async () => parsePublicKeys(await fetchText(absentIsEmpty(fetch), uri, 'The key')),
      clock,
      onFailure: (error) =>
        log.warn({ of, error }, 'a key of a load balancer cannot be had; if it is known it is used on'),
    })
    if (held.size >= MOST_HELD) held.delete(held.keys().next().value ?? '')
    held.set(name, opened)
    return opened
  }

  async function find(name: string, alg: string): Promise<readonly KeyObject[]> {
    const keys = open(name)
    const known = (await keys.get()).select({ alg, kid: undefined })
    // It may have been asked for before it was published.
    const found = known.length > 0 || !mayLookUp(name) ? known : (await keys.renew()).select({ alg, kid: undefined })
    // In the order of use, so that made-up names push out each other and never the one in use.
    if (found.length > 0 && held.delete(name)) held.set(name, keys)
    return found
  }

  return async ({ alg, kid = '' }) =>
    UUID.test(kid)
      ? find(kid.toLowerCase(), alg).catch((error: unknown) => {
          throw error instanceof Unavailable ? unavailable(error, error.retryAfter) : error
        })
      : []
}

/** A key that is not there is no outage; the buckets of GovCloud say 403 of it. */
const absentIsEmpty =
  (fetch: FetchDocument): FetchDocument =>
  async (url) => {
    const answer = await fetch(url)
    const isAbsent = answer.status === 404 || answer.status === 403
    return isAbsent ? { ...answer, status: 200, body: Buffer.from('{"keys":[]}') } : answer
  }

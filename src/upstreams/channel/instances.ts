// Which channel serves whom: one for all callers, a few that they share, or one for each (`instances`).
import { createHash } from 'node:crypto'
import type { UpstreamConfig } from '../../config/servers.ts'
import type { Clock } from '../../protocol/clock.ts'
import { RpcError } from '../../protocol/errors.ts'
import { RPC } from '../../protocol/mcp.ts'
import { countedAs } from '../../protocol/principal.ts'
import type { Caller } from '../caller.ts'
import { type ChannelUpstream, type Given, type Grant, type Refused, UpstreamError } from '../upstream.ts'
import type { Channel } from './channel.ts'

export interface Whose {
  /** Folder name and the like: stands for the caller, and names nobody. `undefined`: not one caller's own. */
  readonly mark: string | undefined
  /** It may ask what only a person can answer: callers have one each, and what the gate's own lists is theirs. */
  readonly declares: boolean
  granted(): Grant
  /** Called before each opening. Throws UpstreamError. */
  admit(): void
  /** The server did not take the credential of `before`: `true` where there is another now. */
  renewed(refused: Refused, before: Grant): Promise<boolean>
}

type Config = Pick<
  UpstreamConfig,
  'id' | 'instances' | 'poolSize' | 'mostInstances' | 'instanceIdle' | 'concurrencyShare'
>

interface Needs {
  open(whose: Whose): Channel
  /** A channel has nothing else to put a new credential in: it is opened again. */
  readonly opensAgain: boolean
  readonly kind: NonNullable<Config['instances']>
  readonly clock: Clock
  /** With the last of them. */
  onClose?(): Promise<void>
}

interface Instance {
  readonly channel: Channel
  /** By whom it is counted: one caller may bring several accounts along, and has an instance for each. */
  readonly whose: string | undefined
  grant: Grant
  usedAt: number
  ended: boolean
}

export interface Instances extends ChannelUpstream {
  /** Ends what nobody has used for long. Called on a timer. */
  sweep(): void
}

const NOTHING: Grant = { given: { headers: {} }, told: {} }
const SWEEP = 30_000
/** Those that are ending still are processes or sockets. */
const WITH_ENDING = 2

export function openInstances(config: Config, needs: Needs): Instances {
  const { clock, kind } = needs
  const mostOfOne = Math.max(1, Math.floor(config.mostInstances * config.concurrencyShare))
  const own = new Map<string, Instance>()
  const shared = Array.from({ length: kind === 'pool' ? config.poolSize : 1 }, () => create())
  const [base = create()] = shared

  function create(mark?: string, whose?: string): Instance {
    const instance: Instance = {
      channel: needs.open({
        mark,
        declares: kind === 'per-principal',
        granted: () => instance.grant,
        admit() {
          if (instance.ended) throw new UpstreamError('exited', 'What the caller was given counts no more.')
          if (mark !== undefined) makeRoom(whose)
        },
        async renewed(refused, before) {
          // Another call may have brought a newer one in the meantime, here and while it is asked for.
          if (!sameGiven(instance.grant.given, before.given)) return true
          const given = await before.renewed?.(refused)
          if (given === undefined) return false
          if (sameGiven(instance.grant.given, before.given)) instance.grant = { ...instance.grant, given }
          return true
        },
      }),
      whose,
      grant: NOTHING,
      usedAt: clock(),
      ended: false,
    }
    return instance
  }

  /** One more is to be opened: the longest idle one ends for it, one of the caller's own where they have had their share. */
  function makeRoom(whose: string | undefined): void {
    const all = [...own.values()]
    const running = all.filter(({ channel }) => channel.running())
    const open = all.reduce((sum, { channel }) => sum + channel.open(), 0)
    const isCrowded = open >= config.mostInstances * WITH_ENDING
    const mine = running.filter((one) => one.whose === whose)
    const hadShare = mine.length >= mostOfOne
    if (running.length < config.mostInstances && !isCrowded && !hadShare) return
    const candidates = hadShare ? mine : running
    const idle = candidates.filter(({ channel }) => channel.calls() === 0).sort((a, b) => a.usedAt - b.usedAt)[0]
    if (idle !== undefined && !isCrowded) return void idle.channel.rest()
    const reason = hadShare && !isCrowded && mostOfOne < config.mostInstances ? 'busy_principal' : 'busy'
    const whoseAre =
      reason === 'busy' ? `All ${config.mostInstances} instances` : `All ${mostOfOne} instances of one caller`
    throw new UpstreamError(reason, `${whoseAre} at the server are in use.`)
  }

  /** One that ended is kept for whoever listens to it; of the others not more than there can be at once. */
  function forgetOldest(): void {
    const idle = [...own].filter(([, { channel }]) => !channel.wanted()).sort(([, a], [, b]) => byUse(a, b))[0]
    if (idle === undefined) return
    own.delete(idle[0])
    void idle[1].channel.close()
  }

  function ownOf(caller: Caller, owner: string | undefined): Instance {
    const { kind: who, subject } = caller.principal
    // Nobody knows whether two of them are one and the same, unless they show it by what they bring along.
    if (who === 'anonymous' && owner === undefined) throw anonymousCaller()
    const key = owner === undefined ? subject : `${subject}\0${owner}`
    const known = own.get(key)
    if (known !== undefined) return known
    if (own.size >= config.mostInstances * WITH_ENDING) forgetOldest()
    const made = create(markOf(key), countedAs(caller.principal, caller.address))
    own.set(key, made)
    return made
  }

  function instanceOf(caller: Caller | undefined, owner: string | undefined): Instance {
    if (caller === undefined || kind === 'shared') return base
    if (kind === 'per-principal') return ownOf(caller, owner)
    // The same caller meets the same one, so that what it keeps in memory is still there.
    return shared[createHash('sha256').update(caller.principal.subject).digest().readUInt32BE() % shared.length] ?? base
  }

  function grant(instance: Instance, next: Grant): void {
    const before = instance.grant
    instance.grant = next
    instance.usedAt = clock()
    if (sameGiven(before.given, next.given)) return
    instance.channel.forgive()
    if (needs.opensAgain) instance.channel.renew()
  }

  function sweep(): void {
    const now = clock()
    for (const [key, { channel, usedAt }] of own) {
      if (channel.wanted() || now - usedAt < config.instanceIdle) continue
      void channel.close()
      own.delete(key)
    }
  }
  const timer = setInterval(sweep, Math.min(SWEEP, config.instanceIdle))
  timer.unref()

  return {
    ...base.channel,
    perPrincipal: kind === 'per-principal',
    instanceFor(caller, next) {
      const instance = instanceOf(caller, next.owner)
      grant(instance, instance.channel.personal === true ? next : { ...next, told: {} })
      return instance.channel
    },
    endInstance(subject) {
      for (const [key, instance] of own) {
        if (key !== subject && !key.startsWith(`${subject}\0`)) continue
        instance.ended = true
        own.delete(key)
        void instance.channel.close()
      }
    },
    sweep,
    async close() {
      clearInterval(timer)
      await Promise.all([...shared, ...own.values()].map(({ channel }) => channel.close()))
      await needs.onClose?.()
    },
  }
}

const anonymousCaller = () =>
  new RpcError(RPC.invalidRequest, 'anonymous_caller', 'This server is for callers who have signed in.', {
    status: 403,
  })

/** What has ended goes first: it only keeps its name. */
const byUse = (one: Instance, other: Instance): number =>
  Number(one.channel.running()) - Number(other.channel.running()) || one.usedAt - other.usedAt

const markOf = (subject: string): string => createHash('sha256').update(subject).digest('hex').slice(0, 32)

const sameGiven = (one: Given, other: Given): boolean =>
  one.query === other.query && JSON.stringify(one.headers) === JSON.stringify(other.headers)

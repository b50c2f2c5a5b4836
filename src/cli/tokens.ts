// `portcullis tokens create | list | rotate | revoke`: API tokens without a running gate, or beside one. A secret is the only thing on
// standard output, so that it can be piped into whatever keeps it; everything else is said beside it.
import { z } from 'zod'
import { askedOf, creation, revoking, rotating, statusOf, tell } from '../admin/token-body.ts'
import { escapeUnprintable } from '../audit/event-line.ts'
import { createAdmission } from '../identity/admission.ts'
import { createLog } from '../observe/log.ts'
import { OperatorError, RequestError } from '../protocol/errors.ts'
import type { ApiTokenRecord } from '../store/api-tokens.ts'
import type { Users } from '../store/durable.ts'
import { type ApiTokenLife, aboutToken, type IssuedApiToken, type RecordedActor } from '../tokens/api-token-life.ts'
import { ensureApiTokenSecret } from '../tokens/keyring.ts'
import { openApiTokenLife } from '../wiring/api-tokens.ts'
import { withOwnKeys } from '../wiring/vault.ts'
import { accountOf } from './account.ts'
import { recordAct } from './act.ts'
import { withStore } from './configuration.ts'
import type { Common } from './options.ts'

export interface CreateOptions extends Common {
  readonly user?: string
  readonly service?: string
  readonly description?: string
  readonly expiresIn?: string
  readonly scope?: readonly string[]
  readonly reach?: readonly string[]
  readonly team?: string
  readonly from?: readonly string[]
  readonly rate?: string
}

export interface RotateOptions extends Common {
  readonly transition?: string
  readonly expiresIn?: string
}

export interface ListOptions extends Common {
  readonly owner?: string
  readonly all: boolean
  readonly json: boolean
}

const PAGE = 200

export const create = (name: string, options: CreateOptions): Promise<void> =>
  withTokens(options, async ({ life, operator, users }) => {
    const { user, service, description, expiresIn, scope, reach, team, from, rate } = options
    if ((user === undefined) === (service === undefined))
      throw new OperatorError(
        'Whose token? Write --user NAME (a local user name, an e-mail address, or the id of an account) or --service NAME.',
      )
    const owner = service ?? (await accountOf(users, user ?? '')).id
    const kind = service === undefined ? 'person' : 'service'
    const given = {
      name,
      kind,
      owner,
      description,
      expires_in: expiresIn,
      scopes: scope,
      reach,
      team,
      addresses: from,
      rate,
    }
    const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    printIssued(await life.create(operator, askedOf(parse(creation, present), Date.now())), 'Created')
  })

export const rotate = (id: string, { transition, expiresIn, ...options }: RotateOptions): Promise<void> =>
  withTokens(options, async ({ life, operator }) => {
    const given = {
      ...(transition !== undefined && { transition }),
      ...(expiresIn !== undefined && { expires_in: expiresIn }),
    }
    const asked = parse(rotating, given)
    const issued = await life.rotate(operator, id, { transition: asked?.transition, ttl: asked?.expires_in })
    printIssued(issued, 'Rotated')
    const { previousUntil } = issued.token
    say(`The old secret ${previousUntil === undefined ? 'has ended' : `works until ${time(previousUntil)}`}.`)
  })

export const revoke = (id: string, { reason, ...options }: Common & { readonly reason?: string }): Promise<void> =>
  withTokens(options, async ({ life, operator }) => {
    await life.revoke(operator, id, parse(revoking, reason === undefined ? {} : { reason })?.reason)
    say(`Revoked ${id}. Running gates know within seconds.`)
  })

export const list = ({ owner, all, json, ...options }: ListOptions): Promise<void> =>
  withTokens(options, async ({ life, operator }) => {
    const now = Date.now()
    for (let offset = 0; ; offset += PAGE) {
      const page = await life.list(operator, { owner, all, limit: PAGE, offset })
      for (const token of page)
        process.stdout.write(`${json ? JSON.stringify(tell(token, now)) : tokenLine(token, now)}\n`)
      if (page.length < PAGE) return
    }
  })

function tokenLine(token: ApiTokenRecord, now: number): string {
  const { id, name, owner, mask, expiresAt, lastUsedAt } = token
  const used = lastUsedAt === undefined ? 'never used' : `used ${time(lastUsedAt)}`
  const status = statusOf(token, now)
  const until = status === 'active' ? `until ${time(expiresAt)}` : status
  return escapeUnprintable([id, mask, owner, until, used, name].join('  '))
}

const time = (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ')

const say = (text: string): void => void process.stderr.write(`${text}\n`)

function printIssued({ token, secret }: IssuedApiToken, verb: string): void {
  process.stdout.write(`${secret}\n`)
  say(
    `${verb} ${token.id} (${token.name}) of ${token.owner}, until ${time(token.expiresAt)}. The secret is shown this once.`,
  )
}

/** The same forms as at the API. */
function parse<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const result = schema.safeParse(given)
  if (result.success) return result.data
  throw new OperatorError(z.prettifyError(result.error))
}

interface Tokens {
  readonly life: ApiTokenLife
  readonly operator: RecordedActor
  readonly users: Users
}

function withTokens(options: Common, use: (tokens: Tokens) => Promise<void>): Promise<void> {
  return withStore(options, async ({ durable, records }, { config }) => {
    const log = createLog({ level: config.log.level })
    const secret = await withOwnKeys(config, { durable, log }, (keys) => ensureApiTokenSecret(keys, Date.now()))
    const life = openApiTokenLife({
      config,
      durable,
      isAdmitted: createAdmission(config.identity),
      secretKey: () => secret,
      // A running gate finds out by itself.
      onChange: async () => undefined,
      clock: Date.now,
    })
    const operator: RecordedActor = {
      id: 'operator',
      administrator: true,
      reach: undefined,
      scopes: undefined,
      record: ({ act, reason, token }) =>
        recordAct(
          { records, sink: config.audit.sink, print: say },
          { act, reason, ...aboutToken(token), by: 'operator' },
        ),
    }
    try {
      await use({ life, operator, users: durable.users })
    } catch (error) {
      throw error instanceof RequestError ? new OperatorError(error.message, { cause: error }) : error
    }
  })
}

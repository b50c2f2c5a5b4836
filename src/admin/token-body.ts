// API tokens on the wire: what may be asked in which form, and what is told of a token. One function a direction.
import { z } from 'zod'
import { addressRange } from '../config/address-range.ts'
import { optionalDuration } from '../config/units.ts'
import { TARGET, TARGET_FORM } from '../protocol/rule-words.ts'
import type { ApiTokenConditions, ApiTokenHours, ApiTokenRecord } from '../store/api-tokens.ts'
import { type AskedApiToken, inWords } from '../tokens/api-token-rules.ts'

const MOST_ENTRIES = 100
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
const WINDOWS = { s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const

// Names end in logs, terminals and pages: no control characters, no marks that turn a line around, no half characters.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u
const label = (longest: number) =>
  z
    .string()
    .trim()
    .normalize('NFC')
    .max(longest)
    .refine((text) => !UNPRINTABLE.test(text), 'No control characters here.')

const name = label(255).min(1).describe('Unique among the tokens of one owner.')
const description = label(1000)
const clockTime = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'Write a time of day such as 09:00.')
const words = (longest: number) => z.array(z.string().min(1).max(longest)).max(MOST_ENTRIES)

const hours = z
  .strictObject({
    days: z
      .array(z.enum(DAYS))
      .min(1)
      .default([...DAYS]),
    from: clockTime,
    to: clockTime,
  })
  .refine(({ from, to }) => from < to, 'from has to come before to, within one day.')
  .describe('When it may be used, in UTC.')

const rotation = z
  .strictObject({
    every: optionalDuration().describe('Such as 7d: due this long after each new secret.'),
    at: z.iso.datetime({ offset: true }).optional().describe('Due once, at this time.'),
  })
  .refine(({ every, at }) => (every === undefined) !== (at === undefined), 'Write every, or at.')
  .describe('When an event says that its rotation is due.')

export const creation = z
  .strictObject({
    name,
    description: description.optional(),
    kind: z.enum(['person', 'service']).default('person'),
    owner: z.string().min(1).max(255).optional().describe('Id of an account, or name of a service. Default: yourself.'),
    expires_in: optionalDuration().describe('Such as 7d; at most, and by default, tokens.maxTtl.'),
    expires_at: z.iso.datetime({ offset: true }).optional().describe('In place of expires_in.'),
    scopes: words(255).optional().describe('What it is bound to. Default: the rules for its owner alone.'),
    reach: z
      .array(z.string().max(1000).regex(TARGET, TARGET_FORM))
      .max(MOST_ENTRIES)
      .optional()
      .describe('`server/tool` targets it is confined to. Default: whatever its owner may.'),
    team: z.string().min(1).max(255).optional().describe('The one team it acts in.'),
    addresses: z.array(addressRange).min(1).max(MOST_ENTRIES).optional().describe('CIDR ranges it may be used from.'),
    hours: hours.optional(),
    rate: z
      .string()
      .regex(/^[1-9]\d{0,8}\/(?:s|min|h|d)$/, 'Write a number and a time, such as 120/min.')
      .optional()
      .describe('Most requests, such as 120/min.'),
    rotation: rotation.optional(),
  })
  .refine((asked) => asked.expires_in === undefined || asked.expires_at === undefined, {
    path: ['expires_at'],
    error: 'Write expires_in, or expires_at.',
  })

export const renaming = z.strictObject({ name: name.optional(), description: description.nullable().optional() })
export const rotating = z
  .strictObject({
    transition: optionalDuration().describe('How long the old secret works beside the new one; 0 ends it at once.'),
    expires_in: optionalDuration().describe('Life of the new secret. Default: as long as the old one was given.'),
  })
  .nullish()
export const revoking = z.strictObject({ reason: label(255).min(1).optional() }).nullish()
export const listing = z.strictObject({
  owner: z.string().min(1).max(300).optional().describe('For administrators: of one owner.'),
  all: z.stringbool().default(false).describe('Those that have ended, too.'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
})
export const oneToken = z.strictObject({ id: z.string().max(64) })

const time = z.iso.datetime()
export const told = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  kind: z.enum(['person', 'service']),
  owner: z.string(),
  created_by: z.string(),
  masked: z.string().describe('Beginning and end of the secret.'),
  status: z.enum(['active', 'expired', 'revoked']),
  scopes: z.array(z.string()).nullable(),
  reach: z.array(z.string()).nullable(),
  team: z.string().nullable(),
  addresses: z.array(z.string()).nullable(),
  hours: z.object({ days: z.array(z.enum(DAYS)), from: z.string(), to: z.string() }).nullable(),
  rate: z.string().nullable(),
  rotation: z.object({ every: z.string().nullable(), due_at: time.nullable() }).nullable(),
  created_at: time,
  issued_at: time.describe('When the present secret was made.'),
  expires_at: time,
  last_used_at: time.nullable(),
  transition_ends_at: time.nullable().describe('Until then the secret before this one works as well.'),
  revoked_at: time.nullable(),
  revoked_by: z.string().nullable(),
  revoked_reason: z.string().nullable(),
})
export const issued = z.object({ token: told, secret: z.string().describe('Told this once.') })

export function askedOf(body: z.output<typeof creation>, now: number): AskedApiToken {
  const { addresses, hours: when, rate, rotation: due } = body
  return {
    name: body.name,
    description: body.description,
    kind: body.kind,
    owner: body.owner,
    ttl: body.expires_at === undefined ? body.expires_in : Date.parse(body.expires_at) - now,
    scopes: body.scopes && [...new Set(body.scopes)],
    reach: body.reach && [...new Set(body.reach)],
    team: body.team,
    conditions: {
      ...(addresses && { addresses }),
      ...(when && { hours: parseHours(when) }),
      ...(rate && parseRate(rate)),
    },
    rotateEvery: due?.every,
    rotateAt: due?.at === undefined ? undefined : Date.parse(due.at),
  }
}

const minutes = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3))
const parseHours = ({ days, from, to }: z.output<typeof hours>): ApiTokenHours => ({
  days: [...new Set(days)].map((day) => DAYS.indexOf(day)),
  from: minutes(from),
  to: minutes(to),
})

function parseRate(text: string): Pick<ApiTokenConditions, 'rate'> {
  const [count = '', unit = ''] = text.split('/')
  return { rate: { most: Number(count), window: WINDOWS[unit as keyof typeof WINDOWS] } }
}

const iso = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString())
const clock = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`

function tellRate({ rate }: ApiTokenConditions): string | null {
  const unit = Object.entries(WINDOWS).find(([, window]) => window === rate?.window)?.[0]
  return rate === undefined ? null : `${rate.most}/${unit}`
}

export const statusOf = ({ revokedAt, expiresAt }: ApiTokenRecord, now: number): z.output<typeof told>['status'] =>
  revokedAt !== undefined ? 'revoked' : expiresAt <= now ? 'expired' : 'active'

export function tell(token: ApiTokenRecord, now: number): z.input<typeof told> {
  const { conditions, rotateEvery, rotateAt, previousUntil } = token
  const { addresses, hours: when } = conditions
  return {
    id: token.id,
    name: token.name,
    description: token.description ?? null,
    kind: token.kind,
    owner: token.owner,
    created_by: token.createdBy,
    masked: token.mask,
    status: statusOf(token, now),
    scopes: token.scopes ? [...token.scopes] : null,
    reach: token.reach ? [...token.reach] : null,
    team: token.team ?? null,
    addresses: addresses ? [...addresses] : null,
    hours: when
      ? { days: when.days.flatMap((day) => DAYS[day] ?? []), from: clock(when.from), to: clock(when.to) }
      : null,
    rate: tellRate(conditions),
    rotation:
      rotateEvery === undefined && rotateAt === undefined
        ? null
        : { every: rotateEvery === undefined ? null : inWords(rotateEvery), due_at: iso(rotateAt) },
    created_at: new Date(token.createdAt).toISOString(),
    issued_at: new Date(token.issuedAt).toISOString(),
    expires_at: new Date(token.expiresAt).toISOString(),
    last_used_at: iso(token.lastUsedAt),
    transition_ends_at: previousUntil !== undefined && previousUntil > now ? iso(previousUntil) : null,
    revoked_at: iso(token.revokedAt),
    revoked_by: token.revokedBy ?? null,
    revoked_reason: token.revokedReason ?? null,
  }
}

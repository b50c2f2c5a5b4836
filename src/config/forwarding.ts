// Who is calling, told to a server behind the gate; and which of the caller's own headers go along.
import { z } from 'zod'
import { IDENTITY_ATTRIBUTES } from '../protocol/identity-headers.ts'
import { fieldName } from './units.ts'

/** Under whose names it is told: ours, or those of a system that servers were written for. */
const IDENTITY_FORMS = ['portcullis', 'contextforge', 'portkey'] as const
export type IdentityForm = (typeof IDENTITY_FORMS)[number]

/** Of the message, of MCP, of credentials: `Mcp-Name` is no caller’s name. */
const OTHERS =
  /^(?:access|authorization|connection|content|cookie|host|if|mcp|proxy|sec|set|te|transfer|x-portcullis)(?:-|$)/i

export const identityForwarding = z
  .strictObject({
    headers: z.boolean().optional().describe('X-Forwarded-User and its family.'),
    jwt: z.boolean().optional().describe('The signed assertion, X-Portcullis-Assertion: for this server alone, 60 s.'),
    meta: z.boolean().optional().describe('`_meta` of each request; the default for servers that are child processes.'),
    attributes: z.array(z.enum(IDENTITY_ATTRIBUTES)).optional().describe('Which of them. Default: all.'),
    headerPrefix: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,40}$/, 'Letters, digits and dashes.')
      .refine(
        (prefix) => !OTHERS.test(prefix),
        'Headers that begin so mean something else. Write a prefix of your own, such as X-Caller.',
      )
      .optional()
      .describe('In place of `X-Forwarded`; of `X-Forwarded-User` under `form: contextforge`.'),
    form: z
      .enum(IDENTITY_FORMS)
      .optional()
      .describe(
        'Names that it is told under. contextforge: X-Forwarded-User-Id and its family, `_meta.user`; portkey: x-portkey-user, X-User-Claims, X-User-JWT. Default: portcullis.',
      ),
  })
  .describe(
    'How it is told who calls. Default: headers and jwt for loopback and private addresses, meta for child processes, nothing for public hosts.',
  )
export type IdentityForwardingConfig = z.output<typeof identityForwarding>

const mapped = z.strictObject({ from: fieldName, to: fieldName })
export const passthroughHeaders = z
  .union([
    z.array(z.union([fieldName, mapped])),
    z.strictObject({ allExcept: z.array(fieldName).describe('Every header of the caller but these.') }),
  ])
  .describe(
    'Headers of callers that it gets: names, `{ from, to }`, or `{ allExcept: […] }`. Never cookies, credentials or what frames a message.',
  )
export type PassthroughConfig = z.output<typeof passthroughHeaders>

/** For servers that say nothing of their own. */
export const passthrough = z.strictObject({
  enabled: z
    .boolean()
    .optional()
    .describe('`false`: no header of a caller goes to any server, whatever lists say. Default: those that lists name.'),
  headers: passthroughHeaders.default([]).describe('Which, where a server has no `passthroughHeaders` of its own.'),
  overwrite: z
    .boolean()
    .default(false)
    .describe('Let them take the place of headers the gate sets (X-Request-Id); never of credentials or of who calls.'),
})

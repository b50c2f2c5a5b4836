// A credential that is good, and not for this caller, place, time or pace: who shows one is in the record, like who shows a bad one.
import { RequestError } from '../protocol/errors.ts'

const REASONS = new Set(['not_admitted', 'address_not_allowed', 'outside_hours', 'token_rate'])

export const isNotForThem = (error: unknown): boolean => error instanceof RequestError && REASONS.has(error.reason)

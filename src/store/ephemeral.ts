// What expires by itself: codes, interactions, browser sessions, one-time tickets, replay marks, counters, allowances,
// sessions of clients.
// Every write has an expiry; an expired row is as good as absent. Times are milliseconds since the epoch.

import type { ClientSessions } from './client-sessions.ts'
import type { Replicas } from './replicas.ts'

export type ArtifactKind = 'AuthorizationCode' | 'Interaction' | 'Session' | 'RegistrationAccessToken'

export interface Artifact {
  readonly kind: ArtifactKind
  readonly idHash: string
  /** Second key of sessions (RegistrationAccessTokens and codes have none). */
  readonly uid: string | undefined
  readonly family: string | undefined
  readonly payload: Readonly<Record<string, unknown>>
  readonly consumedAt: number | undefined
  /** `undefined` only for RegistrationAccessToken, which lives as long as its client. */
  readonly expiresAt: number | undefined
}

export type Consumption = 'consumed' | 'replayed' | 'unknown'

/** The authorization server's short-lived documents. Codes and registration tokens are committed durably, the rest may relax. */
export interface Artifacts {
  save(artifact: Omit<Artifact, 'consumedAt'>): Promise<void>
  find(kind: ArtifactKind, idHash: string, now: number): Promise<Artifact | undefined>
  findByUid(kind: ArtifactKind, uid: string, now: number): Promise<Artifact | undefined>
  /** Takes exactly once: of any number of racers one is told `consumed`. */
  consume(kind: ArtifactKind, idHash: string, now: number): Promise<Consumption>
  remove(kind: ArtifactKind, idHash: string): Promise<void>
  removeFamily(family: string): Promise<void>
}

/** One-time tickets: federation state, the first administrator's link. `take` answers once. */
export interface Tickets {
  put(ticket: { kind: string; idHash: string; payload: Record<string, unknown>; expiresAt: number }): Promise<void>
  /** Looks without taking. */
  find(kind: string, idHash: string, now: number): Promise<Record<string, unknown> | undefined>
  take(kind: string, idHash: string, now: number): Promise<Record<string, unknown> | undefined>
}

export interface Marks {
  /** `true` for the first caller, `false` for every later one until `expiresAt`. */
  markSeen(key: string, expiresAt: number, now: number): Promise<boolean>
  isSeen(key: string, now: number): Promise<boolean>
}

export interface Counters {
  /** Counts in a fixed window, which opens with its first hit; answers the count in it, the own hit included. */
  hit(key: string, windowMs: number, now: number): Promise<number>
  reset(key: string): Promise<void>
}

/**
 * What of a rate or a quota is used: a level that rises with what is taken, up to a ceiling. Below the floor it counts as the floor, and
 * above the ceiling as the ceiling. Whole numbers; for a rate they are times, so that the floor rises with the clock.
 */
export interface Allowance {
  readonly name: string
  /** What one costs. */
  readonly unit: number
  readonly floor: number
  readonly ceiling: number
}

export interface Allowances {
  /** Takes up to `wanted`, and nothing that is not there: all takers together are given what lies between floor and ceiling. */
  take(asked: Allowance & { readonly wanted: number; readonly expiresAt: number }): Promise<{
    readonly granted: number
    readonly level: number
  }>
}

export interface Ephemeral {
  readonly artifacts: Artifacts
  readonly tickets: Tickets
  readonly marks: Marks
  readonly counters: Counters
  readonly clientSessions: ClientSessions
  readonly allowances: Allowances
  readonly replicas: Replicas
  /** Deletes what has expired (marks a CLOCK_GRACE later), families and refresh tokens too; answers how many rows. Called on a timer, in small bites. */
  sweep(now: number): Promise<number>
}

// A policy for tests that speaks of names alone.
import type { Policy } from './policy.ts'

export const policyOfNames = (named: Pick<Policy, 'decide' | 'view'>): Policy => ({
  ...named,
  couldAllow: named.decide,
  decideThrough: named.decide,
  couldAllowThrough: named.decide,
  reads: () => ({ args: false, tool: false }),
  argumentsRead: () => undefined,
  consult: () => undefined,
  version: 'test',
})

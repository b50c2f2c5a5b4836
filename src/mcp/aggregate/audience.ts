// What a view shows to its caller of what servers say by themselves: what rules show them now.
import type { Policy } from '../../policy/policy.ts'
import { throughAlias } from './alias.ts'
import type { Audience } from './back-channel/back-channel.ts'
import type { ViewVisit } from './visit.ts'

export function audienceOf(policy: Policy, { view, principal, request, method }: ViewVisit): Audience {
  return {
    sees: (server) => policy.view(principal, view.virtual ? view.id : server) !== 'none',
    mayRead(server, uri) {
      const rules = view.virtual ? throughAlias(policy, { server: view.id, name: uri }) : policy
      const thing = { principal, server, method, kind: 'resource' as const, name: uri, request }
      return rules.couldAllow(thing).effect === 'allow'
    },
  }
}

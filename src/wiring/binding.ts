// What each server behind the gate is given and told for a caller: the parts, from the configuration.
import type { Config } from '../config/schema.ts'
import { type Binding, type Bound, createBinding } from '../upstreams/binding.ts'
import type { Upstreams } from '../upstreams/upstream.ts'

export function openBinding({ upstreams }: { config: Config; upstreams: Pick<Upstreams, 'get'> }): Binding {
  return createBinding(new Map<string, Bound>(), upstreams)
}

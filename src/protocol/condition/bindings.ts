// The facts of a call as the library reads them: by the names of the variables, converted when an expression asks.
import type { CelInput } from '@bufbuild/cel'
import type { Fact, Facts } from './language.ts'
import { celFact } from './values.ts'
import type { Variable } from './vocabulary.ts'

/** Principals are the same for many calls. */
const principals = new WeakMap<object, CelInput>()

export class Bindings implements Readonly<Record<Variable, CelInput>> {
  readonly #facts: Facts
  #args: CelInput | undefined

  constructor(facts: Facts) {
    this.#facts = facts
  }

  /** Whether these are the facts it tells. */
  tells(facts: Facts): boolean {
    return this.#facts === facts
  }

  /** The same, as the library's types have it. */
  get record(): Readonly<Record<string, CelInput>> {
    return this as unknown as Readonly<Record<string, CelInput>>
  }

  get principal(): CelInput {
    return principalOf(this.#facts.principal)
  }

  get client(): CelInput {
    return celFact(this.#facts.client)
  }

  get server(): CelInput {
    return celFact(this.#facts.server)
  }

  get tool(): CelInput {
    return celFact(this.#facts.tool)
  }

  get args(): CelInput {
    this.#args ??= celFact(this.#facts.args)
    return this.#args
  }

  get request(): CelInput {
    return celFact(this.#facts.request)
  }

  get resource(): CelInput {
    return celFact(this.#facts.resource)
  }
}

function principalOf(fact: Fact): CelInput {
  if (typeof fact === 'symbol') return celFact(fact)
  const known = principals.get(fact)
  if (known !== undefined) return known
  const made = celFact(fact)
  principals.set(fact, made)
  return made
}

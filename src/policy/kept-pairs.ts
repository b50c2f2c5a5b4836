// What is known of a thing under a name, for as long as somebody holds the thing, with an end to how many pairs are kept of all together.

export class KeptPairs<Thing extends object, Value> {
  readonly #most: number
  #kept = new WeakMap<Thing, Map<string, Value>>()
  #pairs = 0

  constructor(most: number) {
    this.#most = most
  }

  find(thing: Thing, name: string): Value | undefined {
    return this.#kept.get(thing)?.get(name)
  }

  keep(thing: Thing, name: string, value: Value): void {
    // All at once: which of them are in use would cost more to know than to find them again.
    if (this.#pairs >= this.#most) {
      this.#kept = new WeakMap()
      this.#pairs = 0
    }
    const values = this.#kept.get(thing)
    if (values?.has(name) !== true) this.#pairs += 1
    if (values === undefined) this.#kept.set(thing, new Map([[name, value]]))
    else values.set(name, value)
  }
}

// Numbers and their text, Prometheus exposition format 0.0.4. Counting is a step in a tree of plain numbers, because every request
// does it eight times; labels become text at a scrape only.

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** One metric with all its series. */
export interface Family {
  text(): string
}

type Labels = readonly (readonly [name: string, value: string])[]

/** A count, and below it those of the next label's values. */
class Tally {
  count = 0
  private readonly below = new Map<string | number, Tally>()

  at(value: string | number): Tally {
    const known = this.below.get(value)
    if (known !== undefined) return known
    const made = new Tally()
    this.below.set(value, made)
    return made
  }

  *series([name, ...names]: readonly string[], labels: Labels = []): Generator<[Labels, number]> {
    if (name === undefined) yield [labels, this.count]
    else for (const [value, tally] of this.below) yield* tally.series(names, [...labels, [name, String(value)]])
  }
}

/** Labels are given in this order: `tally.at(first).at(second).count += 1`. */
export function counter(name: string, help: string, labels: readonly string[] = []): Tally & Family {
  const text = () => [...counts.series(labels)].map(([pairs, count]) => line(name, pairs, count))
  const counts = Object.assign(new Tally(), { text: () => family(name, 'counter', help, text()) })
  return counts
}

export interface Histogram extends Family {
  /** `value` is that of the one label, where there is one. */
  observe(amount: number, value?: string): void
}

interface Spread {
  readonly counts: number[]
  count: number
  sum: number
}

/** `bounds` ascend. */
export function histogram(name: string, help: string, bounds: readonly number[], label?: string): Histogram {
  const spreads = new Map<string, Spread>()
  const spreadOf = (value: string): Spread => {
    const known = spreads.get(value)
    if (known !== undefined) return known
    const made = { counts: bounds.map(() => 0), count: 0, sum: 0 }
    spreads.set(value, made)
    return made
  }
  // What has no label is there from the start, as counters are.
  if (label === undefined) spreadOf('')

  return {
    observe(amount, value = '') {
      const spread = spreadOf(value)
      spread.count += 1
      spread.sum += amount
      for (let at = 0; at < bounds.length; at++) {
        if (amount > (bounds[at] ?? 0)) continue
        spread.counts[at] = (spread.counts[at] ?? 0) + 1
        return
      }
    },
    text() {
      const lines = [...spreads].flatMap(([value, spread]) => {
        const labels: Labels = label === undefined ? [] : [[label, value]]
        let below = 0
        const buckets = bounds.map((bound, at) => {
          below += spread.counts[at] ?? 0
          return line(`${name}_bucket`, [['le', String(bound)], ...labels], below)
        })
        return [
          ...buckets,
          line(`${name}_bucket`, [['le', '+Inf'], ...labels], spread.count),
          line(`${name}_sum`, labels, spread.sum),
          line(`${name}_count`, labels, spread.count),
        ]
      })
      return family(name, 'histogram', help, lines)
    },
  }
}

/** Read when it is asked for. `kind` is `counter` for what another keeps count of. */
export function gauge(name: string, help: string, read: () => number, kind: 'gauge' | 'counter' = 'gauge'): Family {
  return { text: () => family(name, kind, help, [line(name, [], read())]) }
}

/** With labels, all series read at once when it is asked for. */
export function readings(
  { name, help, kind = 'gauge' }: { name: string; help: string; kind?: 'gauge' | 'counter' },
  read: () => Iterable<readonly [Readonly<Record<string, string>>, number]>,
): Family {
  const text = () => [...read()].map(([labels, value]) => line(name, Object.entries(labels), value))
  return { text: () => family(name, kind, help, text()) }
}

export const exposition = (families: readonly Family[]): string => families.map((one) => one.text()).join('\n')

function family(name: string, type: string, help: string, lines: readonly string[]): string {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n')
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = labels.map(([label, text]) => `${label}="${escaped(text)}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')

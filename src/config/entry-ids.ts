// What entries of a list are called in log and record: by their id, else by their place, `rule-3`.
import type { z } from 'zod'

interface Entry {
  readonly id?: string | undefined
}

const idOf = (noun: string, { id }: Entry, index: number): string => id ?? `${noun}-${index + 1}`

/** An id names one entry; another entry's place may have the same name. */
export const distinctIds =
  (noun: string) =>
  ({ value, issues }: { value: readonly Entry[]; issues: z.core.$ZodRawIssue[] }): void => {
    const seen = new Set<string>()
    value.forEach((entry, index) => {
      const id = idOf(noun, entry, index)
      const [byPlace, path] =
        entry.id === undefined ? [', which this one is by its place', [index]] : ['', [index, 'id']]
      if (seen.has(id))
        issues.push({ code: 'custom', message: `Two ${noun}s are called ${id}${byPlace}.`, input: id, path })
      seen.add(id)
    })
  }

export const withIds =
  (noun: string) =>
  <Written extends Entry>(written: readonly Written[]): (Written & { readonly id: string })[] =>
    written.map((entry, index) => ({ ...entry, id: idOf(noun, entry, index) }))

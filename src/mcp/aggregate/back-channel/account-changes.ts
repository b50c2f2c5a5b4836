// A person connects an account at a server, or takes it away: their clients hear that the lists are others, and what the server says is
// listened to with the new one. Of this process alone; elsewhere the lists themselves are read again within seconds.
import { CHANGED_LISTS, listChange } from '../../list-forms.ts'
import { isUnreached } from '../../reach.ts'
import type { Source } from './sources.ts'

export interface AccountChanges {
  changed(server: string, subject: string): void
  /** Answers the end of it. */
  watch(server: string, subject: string, listener: () => void): () => void
}

export function createAccountChanges(): AccountChanges {
  const listeners = new Map<string, Set<() => void>>()
  const keyOf = (server: string, subject: string): string => `${server}\0${subject}`
  return {
    changed(server, subject) {
      for (const listener of [...(listeners.get(keyOf(server, subject)) ?? [])]) listener()
    },
    watch(server, subject, listener) {
      const key = keyOf(server, subject)
      const all = listeners.get(key) ?? new Set()
      listeners.set(key, all.add(listener))
      return () => {
        all.delete(listener)
        if (all.size === 0) listeners.delete(key)
      }
    },
  }
}

interface Account {
  watch(listener: () => void): () => void
  /** Rejects where they have no account there. */
  reach(): unknown
}

/** What a server tells one person's client, with whichever account they have. */
export function accountSource(source: Source, { watch, reach }: Account): Source {
  return {
    ...source,
    async run(hear, signal, onOpen) {
      let current = new AbortController()
      const unwatch = watch(() => {
        for (const list of CHANGED_LISTS) void hear({ jsonrpc: '2.0', method: listChange(list) })
        current.abort()
      })
      try {
        // Without an account nothing is said there, and nobody waits for it.
        if (!(await isReached(reach))) onOpen?.()
        while (!signal.aborted) {
          current = new AbortController()
          const either = AbortSignal.any([signal, current.signal])
          await source.run(hear, either, onOpen)
          // There is nothing to hear with this account.
          await aborted(either)
        }
      } finally {
        unwatch()
      }
    },
  }
}

async function isReached(reach: Account['reach']): Promise<boolean> {
  try {
    await reach()
    return true
  } catch (error) {
    if (isUnreached(error)) return false
    throw error
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}

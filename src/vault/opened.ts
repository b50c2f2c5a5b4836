// Secrets that were opened a moment ago, the least recently used of them forgotten first. What is forgotten is overwritten.
import type { SecretPlace } from '../protocol/vault.ts'

export interface OpenedSecret {
  readonly version: number
  readonly secret: Buffer
}

export interface OpenedSecrets {
  /** A copy. */
  find(place: SecretPlace): OpenedSecret | undefined
  keep(place: SecretPlace, opened: OpenedSecret): void
  drop(place: SecretPlace): void
  clear(): void
}

export const nameOf = ({ principal, upstream, field }: SecretPlace): string =>
  JSON.stringify([principal, upstream, field])

export function openedSecrets(most: number): OpenedSecrets {
  const held = new Map<string, OpenedSecret>()
  const forget = (name: string): void => {
    held.get(name)?.secret.fill(0)
    held.delete(name)
  }
  return {
    find(place) {
      const name = nameOf(place)
      const known = held.get(name)
      if (known === undefined) return undefined
      held.delete(name)
      held.set(name, known)
      return { version: known.version, secret: Buffer.from(known.secret) }
    },
    keep(place, { version, secret }) {
      const name = nameOf(place)
      forget(name)
      held.set(name, { version, secret: Buffer.from(secret) })
      const [oldest] = held.keys()
      if (held.size > most && oldest !== undefined) forget(oldest)
    },
    drop: (place) => forget(nameOf(place)),
    clear() {
      for (const name of [...held.keys()]) forget(name)
    },
  }
}

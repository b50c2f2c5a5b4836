// Which of the servers' own messages a client of an aggregate may hear, and how often. Everything that is not named here stays outside.
// MCP 2025-11-25, Transports: listening for messages; Resources: subscriptions; Utilities: progress, logging.
import { isRecord } from '../../../protocol/json.ts'
import { type ChangedList, listChange, listChanged } from '../../list-forms.ts'

/** Where a message came from. */
export interface Origin {
  readonly server: string
  /** What the server says there is of this client alone; otherwise it may be about anybody's calls. */
  readonly own: boolean
}

/** What is known of the client, asked anew for every message: rules, subscriptions and calls change while a stream is open. */
export interface Hearer {
  /** The caller may use something of the server. */
  sees(server: string): boolean
  /** The caller may read the resource there. */
  mayRead(server: string, uri: string): boolean
  isSubscribed(server: string, uri: string): boolean
  /** A call of this client that is under way at the server asked for progress under this token. */
  isProgressOf(server: string, token: unknown): boolean
}

export function mayHear({ server, own }: Origin, method: string, params: unknown, hearer: Hearer): boolean {
  // A server that the caller can no longer see says nothing any more, whatever it is about.
  if (!hearer.sees(server)) return false
  if (listChanged(method) !== undefined) return true
  const said = isRecord(params) ? params : {}
  if (method === 'notifications/resources/updated') {
    const { uri } = said
    return typeof uri === 'string' && hearer.isSubscribed(server, uri) && hearer.mayRead(server, uri)
  }
  if (!own) return false
  if (method === 'notifications/progress') return hearer.isProgressOf(server, said['progressToken'])
  return method === 'notifications/message' || method === 'notifications/elicitation/complete'
}

export interface Coalesced {
  /** A list has changed, of whichever server. */
  changed(kind: ChangedList): void
  end(): void
}

/** The first of many changes is told at once, and those that follow closely once together: a client asks for the whole list either way. */
export function coalesce(tell: (method: string) => void, within: number): Coalesced {
  const waiting = new Map<ChangedList, { timer: NodeJS.Timeout; again: boolean }>()
  const wait = (kind: ChangedList): void => {
    const timer = setTimeout(() => {
      const again = waiting.get(kind)?.again === true
      waiting.delete(kind)
      if (!again) return
      tell(listChange(kind))
      wait(kind)
    }, within).unref()
    waiting.set(kind, { timer, again: false })
  }
  return {
    changed(kind) {
      const known = waiting.get(kind)
      if (known !== undefined) {
        known.again = true
        return
      }
      tell(listChange(kind))
      wait(kind)
    },
    end() {
      for (const { timer } of waiting.values()) clearTimeout(timer)
      waiting.clear()
    },
  }
}

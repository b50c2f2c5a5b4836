// The messages of many servers as one stream for one client: each is judged by itself, a silent or dead server holds up no other, and
// many changes of lists are told as one.

import type { ChangedList } from '../../list-forms.ts'
import { coalesce } from './notifications.ts'
import type { Judge } from './server-message.ts'
import type { Source } from './sources.ts'

export interface FanInNeeds {
  readonly sources: readonly Source[]
  readonly judge: Judge
  /** A promise: no more until it has resolved. */
  emit(message: object): Promise<void> | undefined
  /** Ends everything. */
  readonly signal: AbortSignal
  /** A mistake of ours in reading a server; the others go on. */
  onError(error: unknown, server: string): void
  /** Lists that the client wants to hear of; default: all. */
  readonly lists?: ReadonlySet<ChangedList>
  /** Changes of a list within so many milliseconds are told as one. */
  readonly together?: number
}

export interface FanIn {
  /** Listens to one more; resolves when it does, or cannot. What has the server and key of one that is open is not opened twice. */
  add(source: Source): Promise<void>
  /** Listens to the source in place of the one with its key. */
  replace(source: Source): Promise<void>
  remove(source: Pick<Source, 'server' | 'key'>): void
}

const TOGETHER = 200

export function openFanIn(needs: FanInNeeds): FanIn {
  const { judge, emit, signal, lists, onError } = needs
  const open = new Map<string, AbortController>()
  const changes = coalesce((method) => void emit({ jsonrpc: '2.0', method }), needs.together ?? TOGETHER)
  signal.addEventListener(
    'abort',
    () => {
      changes.end()
      for (const stop of [...open.values()]) stop.abort()
    },
    { once: true },
  )

  function start(key: string, source: Source): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    const stop = new AbortController()
    open.set(key, stop)
    const hear = (message: unknown): Promise<void> | undefined => {
      if (stop.signal.aborted) return undefined
      const judged = judge(source, source.place, message)
      if (judged === undefined) return undefined
      if ('message' in judged) return emit(judged.message)
      if (lists === undefined || lists.has(judged.list)) changes.changed(judged.list)
      return undefined
    }
    const opened = Promise.withResolvers<void>()
    source
      .run(hear, stop.signal, opened.resolve)
      .catch((error: unknown) => onError(error, source.server))
      .finally(() => {
        if (open.get(key) === stop) open.delete(key)
        opened.resolve()
      })
    return opened.promise
  }

  const fanIn: FanIn = {
    add(source) {
      const key = keyOf(source)
      return open.has(key) ? Promise.resolve() : start(key, source)
    },
    replace(source) {
      const key = keyOf(source)
      const before = open.get(key)
      const opened = start(key, source)
      before?.abort()
      return opened
    },
    remove: (source) => open.get(keyOf(source))?.abort(),
  }
  for (const source of needs.sources) void fanIn.add(source)
  return fanIn
}

const keyOf = ({ server, key }: Pick<Source, 'server' | 'key'>): string => `${server} ${key}`

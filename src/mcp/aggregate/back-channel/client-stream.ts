// The event stream to one client of an aggregate. HTML standard §9.2: one event a message, framed by us whatever the servers wrote.
import type { ServerResponse } from 'node:http'
import { EVENT_STREAM, writeEvent } from '../../../protocol/events.ts'
import { untilClosed } from '../../closed.ts'
import { keepAlive } from '../../keep-alive.ts'
import type { StreamLimits } from '../../streams.ts'

export interface ClientStream {
  /** A promise: the client is slower than its servers, and takes no more before it resolves. */
  send(message: object): Promise<void> | undefined
  /** After a last message. */
  end(last?: object): void
  /** Resolves when the stream is over, whoever ended it. */
  readonly closed: Promise<void>
}

export function openClientStream(res: ServerResponse, limits: StreamLimits): ClientStream {
  res.writeHead(200, [...EVENT_STREAM]).flushHeaders()
  const closed = untilClosed(res)
  let drained: Promise<void> | undefined
  keepAlive(res, limits.streamKeepAlive)

  const wait = (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    // A reader that stands still loses its stream; so does one that leaves too much unread.
    const stalled = setTimeout(() => res.destroy(), limits.streamStall).unref()
    const go = (): void => {
      clearTimeout(stalled)
      res.off('drain', go).off('close', go)
      drained = undefined
      resolve()
    }
    res.once('drain', go).once('close', go)
    return promise
  }
  return {
    closed,
    send(message) {
      if (res.destroyed || res.writableEnded) return undefined
      if (res.writableLength > limits.streamBuffer) {
        res.destroy()
        return undefined
      }
      if (!res.write(writeEvent(message))) drained ??= wait()
      return drained
    },
    end(last) {
      if (!res.destroyed && !res.writableEnded) res.end(last && writeEvent(last))
    },
  }
}

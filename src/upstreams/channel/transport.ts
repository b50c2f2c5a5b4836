// What carries messages to a server that is spoken to over one lasting channel: two pipes, an event stream and its POSTs, a socket.
import type { RpcMessage } from '../../protocol/jsonrpc.ts'
import type { UpstreamError } from '../upstream.ts'

/** Header fields, lower-case names. */
export type Fields = Readonly<Record<string, string>>

/** What is kept of a message past the ceiling: its length and its two ends. */
export interface Oversize {
  readonly size: number
  readonly head: string
  readonly tail: string
}

/** Who hears what the server says. */
export interface Ears {
  /** One message, or one batch of them. */
  receive(text: string): void
  receiveOversize(message: Oversize): void
}

export interface Transport {
  /** Settles when messages may be sent. Rejects with UpstreamError. */
  readonly ready: Promise<void>
  /**
   * Throws, or rejects with, UpstreamError when the server does not take the message. `headers` go along where a message has a head of
   * its own.
   */
  send(message: RpcMessage, headers?: Fields): Promise<void> | undefined
  /** Settles with the reason when nothing more will come, from whichever side. Never rejects. */
  readonly ended: Promise<UpstreamError>
  stop(): Promise<void>
}

/** Throws nothing: what cannot be opened has ended. */
export type OpenTransport = (ears: Ears) => Transport

/**
 * The id of an answer whose line cannot be read as a whole, so that its call fails now and not at its timeout.
 * Only the two orders in which common servers write an envelope; in valid JSON both places are top level. A wrong guess
 * can only fail a call of the server that wrote the line.
 */
export function findAnswerId(line: { head: string; tail: string }): number | undefined {
  const found =
    /^\{"jsonrpc":"2\.0","id":(\d{1,16}),/.exec(line.head) ?? /,"jsonrpc":"2\.0","id":(\d{1,16})\}\r?$/.exec(line.tail)
  return found?.[1] === undefined ? undefined : Number(found[1])
}

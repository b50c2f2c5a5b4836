// The client's side of a stream: written no faster than it is read, and with a sign of life where nothing else is said.
import type { ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { Deadline } from './deadlines.ts'
import { ALIVE } from './keep-alive.ts'
import type { StreamLimits } from './streams.ts'

type Limits = Pick<StreamLimits, 'streamStall' | 'streamKeepAlive'>

export class Outflow {
  wrote = false
  private readonly res: ServerResponse
  private readonly limits: Limits
  private readonly source: Dispatcher.DispatchController | undefined
  private readonly isBetween: (() => boolean) | undefined
  private stall: Deadline | undefined
  private silence: Deadline | undefined

  /** `isBetween`: of an event stream, where no event is under way; comments are written there, after each silence. */
  constructor(
    res: ServerResponse,
    limits: Limits,
    source: Dispatcher.DispatchController | undefined,
    isBetween?: () => boolean,
  ) {
    this.res = res
    this.limits = limits
    this.source = source
    this.isBetween = isBetween
    this.listen()
  }

  write(bytes: Buffer): void {
    const { res, source, limits } = this
    this.wrote = true
    this.silence?.cancel()
    this.listen()
    if (res.write(bytes) || source === undefined || source.paused) return
    // The reader is slower than the upstream: stand still, and give up on a reader that stands still itself.
    source.pause()
    this.stall = new Deadline(limits.streamStall, () => res.destroy())
    res.once('drain', () => {
      this.stall?.cancel()
      source.resume()
    })
  }

  end(): void {
    this.stall?.cancel()
    this.silence?.cancel()
  }

  private listen(): void {
    if (this.isBetween === undefined || this.limits.streamKeepAlive === 0) return
    this.silence = new Deadline(this.limits.streamKeepAlive, () => this.comment())
  }

  private comment(): void {
    const { res, isBetween } = this
    // Who has not read what was said before is not waiting for this.
    if (isBetween?.() === true && res.writableLength === 0) res.write(ALIVE)
    this.listen()
  }
}

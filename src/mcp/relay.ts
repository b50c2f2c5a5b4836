// One request on its way through the gate and back: the answer's head, its bytes, and how it ends for both sides.
// MCP 2026-07-28, Transports: a client that goes away has cancelled; MCP 2025-11-25: it has not.
import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import { type EventSplitter, splitEvents, withoutMark, writeEvent } from '../protocol/events.ts'
import { HEADER_SESSION } from '../protocol/mcp.ts'
import { addPart } from '../protocol/parts.ts'
import type { Refused } from '../upstreams/upstream.ts'
import { sendAccepted, sendBytes, sendRefusal, sendRpc } from './answer.ts'
import { type AnswerStream, answerStream, heard } from './answer-stream.ts'
import { Deadline } from './deadlines.ts'
import { FAULTS, type Fault, faultMessage, faultOfError, faultOfHead, faultOfRefusal, retryField } from './fault.ts'
import { mediaType, returnedHeaders } from './headers.ts'
import { heldAnswer } from './held-answer.ts'
import { Outflow } from './outflow.ts'
import { ownAnswer } from './own-answer.ts'
import type { Passage } from './passage.ts'
import { refusedBy } from './renewal.ts'
import type { StreamEnd } from './streams.ts'

/** How a request ended, for the record and for health. */
export interface Ending {
  readonly status: number | undefined
  readonly outcome: 'answered' | 'cancelled' | 'upstream_error'
  readonly fault: string | undefined
  /** The server did not take what it was given. Nothing went to the caller. */
  readonly refused?: Refused
  /** It was answered in the server's place: why, as a stable slug. */
  readonly instead?: string
}

/** Answers up to this size are held and leave with their head in one write. */
const HELD = 64 * 1024

export class Relay implements Dispatcher.DispatchHandler {
  private readonly passage: Passage
  private readonly settle: (ending: Ending) => void
  private readonly over: () => void
  private controller: Dispatcher.DispatchController | undefined
  private state: 'waiting' | 'held' | 'streaming' | 'events' | 'discarding' | 'done' = 'waiting'
  private status = 0
  private headers: string[] = []
  private chunks: Buffer[] = []
  private size = 0
  private deadline: Deadline | undefined
  private splitter: EventSplitter | undefined
  private answer: AnswerStream | undefined
  private closeStream: (() => void) | undefined
  private outflow: Outflow | undefined
  private isOwn: (part: Buffer) => boolean = () => true

  /** `over`: nothing of it is under way at the upstream any more; it may be later than its caller's end, and follows every dispatch. */
  constructor(passage: Passage, settle: (ending: Ending) => void, over: () => void) {
    this.passage = passage
    this.settle = settle
    this.over = over
    // Counted from here: the wait for a free connection is part of the caller's wait.
    this.deadline = new Deadline(passage.upstream.requestTimeout, () => this.fail(FAULTS.timeout))
    if (passage.res.closed) this.clientGone()
    else passage.res.on('close', () => this.clientGone())
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.state === 'done') controller.abort(new Error('The caller is gone.'))
  }

  onRequestUpgrade(controller: Dispatcher.DispatchController): void {
    controller.abort(new Error('An upgrade was not asked for.'))
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // RFC 9110 §15.2: interim answers are for this hop only.
    if (status < 200 || this.state !== 'waiting') return
    const refused = this.passage.renewable ? refusedBy(status, headers) : undefined
    const fault = this.passage.screen.faultOf?.(status) ?? faultOfHead(status, headers)
    if (refused !== undefined) this.handBack(refused)
    else if (fault === undefined) this.takeHead(status, headers)
    else this.fail(fault)
    // A small answer is waited for as a whole: byte by byte it could take for ever.
    if (this.splitter !== undefined) this.deadline?.cancel()
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.state === 'held') this.hold(chunk)
    else if (this.state === 'events') this.splitter?.push(chunk)
    else if (this.state === 'streaming') this.pass(chunk)
    else if (this.state === 'discarding') this.discard(chunk)
  }

  /** Trailers are an argument that nobody reads: a field that came after the gate's look at the head stays outside. */
  onResponseEnd(): void {
    if (this.state === 'held') this.sendHeld()
    else if (this.state === 'events') this.endEvents()
    else if (this.state === 'streaming') this.end()
    // Nothing was waited for, or not for the rest.
    if (this.state !== 'done') this.finish('answered')
    this.over()
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.state === 'discarding') this.finish('answered')
    else this.fail(faultOfError(error))
    this.over()
  }

  /** Nobody waits for it any more. */
  isDone(): boolean {
    return this.state === 'done'
  }

  private handBack(refused: Refused): void {
    this.finish('upstream_error', FAULTS.upstream_unauthorized.reason, refused)
    this.readOn()
  }

  private takeHead(status: number, headers: IncomingHttpHeaders): void {
    const { expects, sessionFor } = this.passage
    this.status = status
    this.headers = returnedHeaders(headers)
    const upstreamSession = headers[HEADER_SESSION]
    const session = typeof upstreamSession === 'string' ? sessionFor(upstreamSession) : undefined
    if (session !== undefined) this.headers.push(HEADER_SESSION, session)
    const type = mediaType(headers)
    if (type === 'application/json' && (status === 200 ? expects === 'answer' : status >= 400)) this.state = 'held'
    else if (type === 'text/event-stream' && status === 200 && expects !== 'nothing') this.openEvents()
    else if (status >= 400) this.passRefusal()
    else if (expects === 'nothing') this.accept()
    else this.fail(FAULTS.protocol)
  }

  private openEvents(): void {
    const { res, id, era, screen, limits, upstream, openStream } = this.passage
    this.state = 'events'
    if (id !== undefined) this.answer = answerStream({ id, screen, requestsAllowed: era === 'legacy' })
    const { edit, aside, hears, whole } = screen
    const judged = whole || edit !== undefined || aside !== undefined || (id === undefined && hears !== undefined)
    let begun = false
    this.splitter = splitEvents(judged ? upstream.maxAnswer : limits.streamBuffer, (event, whole) => {
      this.passEvent(begun ? event : withoutMark(event), whole)
      begun = true
    })
    this.headers.push('content-type', 'text/event-stream')
    if (!this.headers.includes('cache-control')) this.headers.push('cache-control', 'no-cache')
    if (!this.headers.includes('x-accel-buffering')) this.headers.push('x-accel-buffering', 'no')
    res.writeHead(200, this.headers)
    this.outflow = new Outflow(res, limits, this.controller, () => this.splitter?.inside() === false)
    this.closeStream = openStream((reason) => this.endStream(reason))
    // The head leaves with the first event where both came together, else on its own.
    queueMicrotask(() => {
      if (this.outflow?.wrote === false && this.state === 'events') res.flushHeaders()
    })
  }

  private endStream(reason: StreamEnd): void {
    if (reason !== 'draining') {
      this.fail(FAULTS.credential_ended)
      return
    }
    // Nothing went wrong: the client comes back, and is served by whoever is there then.
    this.end()
    this.controller?.abort(new Error('The gate goes away.'))
  }

  private passEvent(event: Buffer, whole: boolean): void {
    // One chunk can hold several events, and the first may have ended the stream.
    if (this.state !== 'events') return
    const { answer } = this
    const passed =
      answer === undefined
        ? heard(event, whole, this.passage.screen.hears)
        : whole
          ? answer.pass(event)
          : answer.passPart(event, this.splitter?.inside() !== true)
    if (!Buffer.isBuffer(passed)) this.fail(passed)
    else if (passed.length > 0) this.outflow?.write(passed)
  }

  private endEvents(): void {
    const unanswered = this.answer?.pending() === true && !this.answer.resumable()
    if (unanswered || this.splitter?.inside() === true) this.fail(FAULTS.reset)
    else this.end()
  }

  private hold(chunk: Buffer): void {
    const { edit, whole } = this.passage.screen
    const { maxAnswer } = this.passage.upstream
    addPart(this.chunks, chunk)
    this.size += chunk.length
    if (edit !== undefined && this.size > maxAnswer) this.fail(FAULTS.too_large)
    if (edit !== undefined || this.size <= (whole === true ? maxAnswer : HELD)) return
    if (this.status === 200) this.begin()
    else this.passRefusal()
  }

  private begin(): void {
    const { res, id, screen, limits } = this.passage
    this.headers.push('content-type', 'application/json')
    // Where several servers are behind one address, what one asks its client does not pass unread.
    if (id !== undefined) this.isOwn = ownAnswer(id, screen.aside === undefined ? 'asking' : undefined)
    this.state = 'streaming'
    this.deadline?.cancel()
    this.outflow = new Outflow(res, limits, this.controller)
    this.pass(Buffer.concat(this.chunks.splice(0)))
  }

  private pass(part: Buffer): void {
    const { res } = this.passage
    const isOwn = this.isOwn(part)
    if (isOwn && !res.headersSent) res.writeHead(this.status, this.headers)
    if (isOwn) this.outflow?.write(part)
    else this.fail(FAULTS.protocol)
  }

  private sendHeld(): void {
    const { res, id, screen } = this.passage
    const answer = heldAnswer(this.chunks, { id, screen, status: this.status })
    if (answer === undefined) this.fail(FAULTS.protocol)
    else if (answer === 'wordless') this.passRefusal()
    else {
      sendBytes(res, this.status, this.headers, answer)
      this.finish('answered')
    }
  }

  private passRefusal(): void {
    const { res, id } = this.passage
    const failure = faultOfRefusal(this.status)
    if (failure !== undefined) this.fail(failure)
    else {
      sendRefusal(res, this.status, id, this.headers)
      this.finish('answered', this.passage.faultOfStatus?.(this.status))
      this.readOn()
    }
  }

  private accept(): void {
    sendAccepted(this.passage.res, this.status, this.headers)
    this.finish('answered')
    this.readOn()
  }

  private clientGone(): void {
    if (this.state === 'done' || this.state === 'discarding') return
    const { era, expects } = this.passage
    this.finish('cancelled')
    if (era === 'modern' || expects === 'stream') this.controller?.abort(new Error('The caller is gone.'))
    else this.readOn()
  }

  /** Nobody listens any more: the rest is read so that a call runs to its end and the connection serves again, but not without end. */
  private readOn(): void {
    this.state = 'discarding'
    this.size = 0
    this.deadline = new Deadline(this.passage.upstream.requestTimeout, () => this.giveUp())
    this.controller?.resume()
  }

  private discard(chunk: Buffer): void {
    this.size += chunk.length
    if (this.size > this.passage.upstream.maxAnswer) this.giveUp()
  }

  private giveUp(): void {
    this.controller?.abort(new Error('Nobody waits for this.'))
  }

  /** Also before it is dispatched. */
  fail(fault: Fault): void {
    if (this.state === 'done' || this.state === 'discarding') return
    const { res, id, requestId } = this.passage
    const message = faultMessage(fault, id, requestId)
    if (!res.headersSent) sendRpc(res, fault.status, message, retryField(fault))
    else if (this.state !== 'events' || this.splitter?.inside() === true) res.destroy()
    else if (this.answer?.pending() === true) res.end(writeEvent(message))
    else res.end()
    this.finish('upstream_error', fault.reason)
    this.controller?.abort(new Error(fault.message))
    // What was read to its end cannot be aborted.
    if (fault === FAULTS.protocol) this.passage.upstream.pool.endConnectionOf?.(this)
  }

  private end(): void {
    this.passage.res.end()
    this.finish('answered')
  }

  private finish(outcome: Ending['outcome'], fault?: string, refused?: Refused): void {
    if (this.state === 'done') return
    // Who reads on has told how it ended.
    const told = this.state === 'discarding'
    this.state = 'done'
    this.deadline?.cancel()
    this.outflow?.end()
    this.closeStream?.()
    const { res } = this.passage
    const status = res.headersSent ? res.statusCode : undefined
    if (!told) this.settle(refused === undefined ? { status, outcome, fault } : { status, outcome, fault, refused })
  }
}

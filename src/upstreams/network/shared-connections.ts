// The connections of HTTP/1.1 to one server, and who gets which. An answer has no name there: what comes after a request counts as the answer
// to it (RFC 9112 §9.2). Of a server that answers one request twice, or late, the next on that connection would have somebody else's answer,
// and JSON-RPC ids are the same small numbers with every client. So the next is, wherever it can be, the same caller's.
import { type Client, Dispatcher } from 'undici'

/** Who had nothing said to them for so long has no answer coming: the connection may be another's. Milliseconds. */
const QUIET = 1000

export interface SharedOptions extends Dispatcher.DispatchOptions {
  /** Absent where the gate asks for itself. */
  readonly whose?: string | undefined
}

interface Connection {
  readonly client: Client
  whose: string | undefined
  /** What it carries, or carried last. */
  carried: Request | undefined
  isFree: boolean
  freeSince: number
  isSpent: boolean
}

interface Request {
  readonly options: SharedOptions
  readonly handler: Dispatcher.DispatchHandler
}

export class SharedConnections extends Dispatcher {
  private readonly open: () => Client
  private readonly most: number
  private readonly now: () => number
  private readonly all = new Set<Connection>()
  /** Longest free first. */
  private readonly free: Connection[] = []
  private readonly waiting: Request[] = []
  private gone: Client | undefined

  /** `open`: of a client that takes one request at a time. */
  constructor(open: () => Client, most: number, now: () => number = () => performance.now()) {
    super()
    this.open = open
    this.most = most
    this.now = now
  }

  override dispatch(options: SharedOptions, handler: Dispatcher.DispatchHandler): boolean {
    const connection = this.gone === undefined ? this.take(options.whose) : undefined
    if (connection !== undefined) this.send(connection, { options, handler })
    else if (this.gone !== undefined) return this.gone.dispatch(options, handler)
    else this.waiting.push({ options, handler })
    return this.waiting.length === 0
  }

  /** Of the request that has this handler, or these options: what came was no answer to it, so that another may be on its way. */
  endConnectionOf(known: object): void {
    for (const connection of this.all) {
      const { options, handler } = connection.carried ?? {}
      if (handler !== known && options !== known) continue
      connection.isSpent = true
      if (connection.isFree) this.drop(connection)
    }
  }

  override close(): Promise<void> {
    return this.destroy()
  }

  /** Whoever is served or waits gets an error. */
  override async destroy(): Promise<void> {
    // It refuses in the words of the library.
    this.gone ??= this.open()
    const all = [this.gone, ...[...this.all].map(({ client }) => client)]
    this.all.clear()
    this.free.length = 0
    await Promise.all(all.map((client) => client.destroy()))
    for (const { options, handler } of this.waiting.splice(0)) this.gone.dispatch(options, handler)
  }

  private take(whose: string | undefined): Connection | undefined {
    const { free, all, most } = this
    // The last that was freed is the warmest.
    for (let at = free.length - 1; at >= 0; at--) if (free[at]?.whose === whose) return this.takeAt(at)
    const [longest] = free
    const isFull = all.size >= most
    if (longest !== undefined && (isFull || this.now() - longest.freeSince >= QUIET)) return this.takeAt(0)
    return isFull ? undefined : this.add()
  }

  private takeAt(at: number): Connection | undefined {
    const { free } = this
    return at === free.length - 1 ? free.pop() : free.splice(at, 1)[0]
  }

  private add(): Connection {
    const client = this.open()
    const connection = { client, whose: undefined, carried: undefined, isFree: false, freeSince: 0, isSpent: false }
    this.all.add(connection)
    client.on('drain', () => this.release(connection))
    client.on('disconnect', (...told) => {
      if (connection.isFree) this.drop(connection)
      this.emit('disconnect', ...told)
    })
    // Its request has been told; of some failures no drain follows.
    client.on('connectionError', () => client.stats.pending === 0 && this.drop(connection))
    return connection
  }

  private send(connection: Connection, request: Request): void {
    connection.isFree = false
    connection.whose = request.options.whose
    connection.carried = request
    connection.client.dispatch(request.options, request.handler)
    // It was refused before it was one.
    this.release(connection)
  }

  private release(connection: Connection): void {
    const { connected, size } = connection.client.stats
    if (connection.isFree || size > 0 || !this.all.has(connection)) return
    if (connected && !connection.isSpent) this.give(connection)
    else this.drop(connection)
  }

  private give(connection: Connection): void {
    const next = this.waiting.shift()
    if (next !== undefined) {
      this.send(connection, next)
      return
    }
    connection.isFree = true
    connection.freeSince = this.now()
    this.free.push(connection)
  }

  private drop(connection: Connection): void {
    if (!this.all.delete(connection)) return
    const at = this.free.indexOf(connection)
    if (at !== -1) this.free.splice(at, 1)
    void connection.client.destroy()
    const next = this.waiting.shift()
    if (next !== undefined) this.send(this.add(), next)
  }
}

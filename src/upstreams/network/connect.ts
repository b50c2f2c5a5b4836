// How a connection to a remote server is opened: its name looked up and judged, through a proxy where there is one, TLS with the
// authorities and the certificate that its configuration names.
import { isIP, type Socket } from 'node:net'
import { buildConnector, type buildConnector as Connector } from 'undici'
import type { RemoteServerConfig } from '../../config/servers.ts'
import type { Clock } from '../../protocol/clock.ts'
import { OperatorError } from '../../protocol/errors.ts'
import { createLookup } from './addresses.ts'
import { explainFailure } from './connect-failure.ts'
import type { Resolve } from './names.ts'
import { createTunnels } from './proxy.ts'

export interface TlsMaterial {
  readonly ca?: readonly string[]
  readonly cert?: string
  readonly key?: string
}

/** Of the machine we are on, and of the house; the same for all servers. */
export interface Surroundings {
  readonly clock: Clock
  readonly log: Record<'info' | 'warn', (fields: object, message: string) => void>
  readonly resolve: Resolve
  /** `link-local`: where machines of a cloud are told their credentials. */
  readonly kindOf: (address: string) => string
  readonly isWithin: (ranges: readonly string[], address: string) => boolean
  /** Throws OperatorError with the setting, the file and the cure. */
  readonly readTls: (config: RemoteServerConfig) => TlsMaterial
  /** Calls when the files may have changed; answers how to stop. */
  readonly watch: (files: readonly string[], on: { onChange(): void; onError(error: unknown): void }) => () => void
}

export interface Connect {
  /** For undici. */
  readonly connect: Connector.connector
  /** A connection for whoever speaks over it without undici; TLS is done. */
  open(): Promise<Socket>
  close(): void
}

type ConnectOptions = Parameters<Connector.connector>[0]
type Done = Parameters<Connector.connector>[1]

/** A look-up that takes all the time of a connection would leave none for known addresses to be tried. */
const FOR_THE_NAME = 0.6

/** Throws OperatorError: a file of its TLS is not there, or its address is none of those it may have. */
export function createConnect(config: RemoteServerConfig, around: Surroundings): Connect {
  checkWritten(config, around)
  const { connectTimeout: timeout, tls = {}, http2, proxy } = config
  const { clock, resolve, readTls, watch, log } = around
  const lookupFor = (isAllowed: (address: string) => boolean) =>
    createLookup({ resolve, isAllowed, timeout: Math.ceil(timeout * FOR_THE_NAME), clock })
  const lookup = lookupFor(isAllowedFor(config, around))
  const tunnel =
    proxy === undefined
      ? undefined
      : createTunnels(new URL(proxy), {
          lookup: lookupFor((address) => around.kindOf(address) !== 'link-local'),
          timeout,
        })
  const teller = createTeller(config.id, log)

  let material = readTls(config)
  let connector = build(material)
  // The same files, and no protocol but that of the upgrade: RFC 8441 is nobody's WebSocket here.
  function build(files: TlsMaterial, allowH2 = http2) {
    const { ca, ...pair } = files
    const servername = tls.serverName === undefined ? {} : { servername: tls.serverName }
    return buildConnector({ ...pair, ...(ca && { ca: [...ca] }), ...servername, allowH2, timeout, lookup })
  }

  function renew(): void {
    try {
      const next = readTls(config)
      if (JSON.stringify(next) === JSON.stringify(material)) return
      material = next
      connector = build(next)
      log.info({ server: config.id }, 'the new TLS files of the server are in force')
    } catch (error) {
      log.warn({ server: config.id, error }, 'the new TLS files of the server are refused; the old ones stay in force')
    }
  }
  const files = [tls.ca, tls.cert, tls.key].filter((file) => file !== undefined)
  const onError = (error: unknown) =>
    log.warn({ server: config.id, error }, 'the TLS files of the server cannot be watched; SIGHUP reads them again')
  const unwatch = files.length === 0 ? () => undefined : watch(files, { onChange: renew, onError })

  function connectBy(by: Connector.connector, options: ConnectOptions, callback: Done): void {
    const done: Done = (...[error, socket]) => {
      if (error !== null) {
        teller.failed(error)
        callback(error, null)
      } else {
        teller.connected(socket)
        callback(null, socket)
      }
    }
    if (tunnel === undefined) return void by(options, done)
    const port = options.port || (options.protocol === 'https:' ? '443' : '80')
    tunnel(options.hostname, port).then(
      (httpSocket) => (options.protocol === 'https:' ? by({ ...options, httpSocket }, done) : done(null, httpSocket)),
      (error: Error) => done(error, null),
    )
  }

  return {
    connect: (options, callback) => connectBy(connector, options, callback),
    open() {
      const { protocol, hostname, host, port } = new URL(config.url)
      const isSecure = protocol === 'https:' || protocol === 'wss:'
      const options = { hostname: bare(hostname), host, port, protocol: isSecure ? 'https:' : 'http:' }
      return new Promise((resolve, reject) =>
        connectBy(build(material, false), options, (...[error, socket]) =>
          error === null ? resolve(socket) : reject(error),
        ),
      )
    },
    close: unwatch,
  }
}

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')

type Rules = Pick<Surroundings, 'kindOf' | 'isWithin'>

function isAllowedFor({ addresses }: RemoteServerConfig, { kindOf, isWithin }: Rules): (address: string) => boolean {
  return (address) => {
    const kind = kindOf(address)
    // Nobody means these by a name; whoever does writes the address itself.
    if (kind === 'link-local') return false
    return addresses === undefined || addresses.includes(kind) || isWithin(addresses.filter(isRange), address)
  }
}

const isRange = (entry: string): boolean => /[.:]/.test(entry)

/** An address that is written in `url` is never looked up, so it is judged when it is read. */
function checkWritten(config: RemoteServerConfig, rules: Rules): void {
  const host = bare(new URL(config.url).hostname)
  if (isIP(host) === 0 || config.addresses === undefined || isAllowedFor(config, rules)(host)) return
  throw new OperatorError(
    `servers.${config.id}.addresses: ${host} in its url is not among them. Name the place there, or take the setting away.`,
  )
}

/** Each kind of failure once, until a connection is there again: a server that is down is tried with every call. */
function createTeller(server: string, log: Surroundings['log']) {
  let told: string | undefined
  const failed = (error: Error & { code?: string }): void => {
    const code = error.code ?? error.name
    if (code === told) return
    told = code
    log.warn({ server, code, cause: error.message, remedy: explainFailure(code) }, 'cannot connect to the server')
  }
  return {
    failed,
    connected(socket: Socket) {
      told = undefined
      // RFC 8446 §4.4.2: a server that misses our certificate says so when the handshake is over for us.
      socket.once('error', (error: Error & { code?: string }) => {
        if (/^ERR_SSL_/.test(error.code ?? '')) failed(error)
      })
    },
  }
}

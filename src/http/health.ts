// Liveness, readiness with causes, and the numbers, for load balancers, orchestrators and Prometheus.
import { OperatorError, RequestError } from '../protocol/errors.ts'
import { addressMatcher } from './client-address.ts'
import type { Endpoint, Exchange } from './exchange.ts'
import { checkMethod } from './method.ts'

/** Readiness is asked by anybody: the checks run at most this often, and answer by then or count as failed. */
const CHECKS_EVERY = 1000
const LONGEST_CHECK = 2000

const ALIVE = { status: 200, message: 'OK', state: 'healthy' }

const LOOPBACK = ['127.0.0.0/8', '::1/128']
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10']

export interface Check {
  readonly name: string
  readonly ok: boolean
  /** A stable slug. */
  readonly reason?: string
  /** More than fit or not, where there is more. */
  readonly state?: string
  /** ISO 8601. */
  readonly since?: string
  /** Shown to those who may read the metrics, and no ground to be taken out of rotation: a server behind us, an IdP. */
  readonly detail?: boolean
}

/** The cause is logged by whoever needed the part; here only the slug counts. */
export async function checkOf(name: string, work: () => Promise<void>): Promise<Check> {
  try {
    await work()
    return { name, ok: true }
  } catch {
    return { name, ok: false, reason: `${name}_unavailable` }
  }
}

interface Needs {
  readonly checks: () => Promise<readonly Check[]>
  readonly metrics: { expose(): Promise<{ contentType: string; text: string }> }
  /** Who may read the metrics. */
  readonly allow: (exchange: Exchange) => boolean
  readonly draining: () => boolean
}

/** The endpoints by path; `undefined` for a path that is none of them. */
export function healthEndpoints({ checks, metrics, allow, draining }: Needs): {
  match(path: string): Endpoint | undefined
} {
  const check = recentChecks(checks)

  const health: Endpoint = (exchange) => answer(exchange, 200, ALIVE)

  const ready: Endpoint = async (exchange) => {
    const results = await check(exchange.at)
    const all = draining() ? [...results, { name: 'drain', ok: false, reason: 'draining' }] : results
    const fit = all.every(({ ok, detail }) => ok || detail === true)
    const shown = allow(exchange) ? all : all.filter(({ detail }) => detail !== true)
    // One server that is down is no reason to take the others from everybody: it is said, and the status stays.
    const head = fit
      ? { status: 200, message: 'OK', state: shown.every(({ ok }) => ok) ? 'ready' : 'degraded' }
      : { status: 503, message: 'Service Unavailable', state: 'not_ready' }
    answer(exchange, head.status, { ...head, checks: shown.map(({ detail: _, ...told }) => told) })
  }

  const numbers: Endpoint = async (exchange) => {
    const { contentType, text } = await metrics.expose()
    send(exchange, 200, contentType, text)
  }

  const endpoints = new Map<string, Endpoint>([
    ...['/health', '/healthz', '/livez'].map((path) => [path, readOnly(health)] as const),
    ...['/ready', '/readyz'].map((path) => [path, readOnly(ready)] as const),
    ['/metrics', hidden(allow, readOnly(numbers))],
  ])
  return { match: (path) => endpoints.get(path) }
}

/**
 * `metrics.allow`: loopback, private, trustedProxies, or ranges. Behind a proxy that is not trusted nobody is known, so that
 * a request with forwarding headers from there is refused: the whole internet would come from the proxy's private address.
 */
export function metricsAllow(
  allowed: readonly string[],
  trustedProxies: readonly string[],
): (exchange: Pick<Exchange, 'address' | 'viaProxy' | 'req'>) => boolean {
  const named = new Map([
    ['loopback', LOOPBACK],
    ['private', PRIVATE],
    ['trustedProxies', trustedProxies],
  ])
  const matches = addressMatcher(allowed.flatMap((entry) => named.get(entry) ?? [checkRange(entry)]))
  // A socket file is on this machine.
  const isLocalFile = (address: string): boolean => address === 'unix' && allowed.includes('loopback')
  return ({ address, viaProxy, req }) =>
    (viaProxy || !isForwarded(req.headers)) && (isLocalFile(address) || matches(address))
}

function checkRange(entry: string): string {
  try {
    addressMatcher([entry])
  } catch (cause) {
    throw new OperatorError(
      `metrics.allow: "${entry}" is no address. Write loopback, private, trustedProxies, or a range such as 10.1.0.0/16.`,
      { cause },
    )
  }
  return entry
}

function isForwarded(headers: Exchange['req']['headers']): boolean {
  return ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'].some((name) => headers[name] !== undefined)
}

/** One run of the checks serves everyone who asks within its second. */
function recentChecks(checks: Needs['checks']): (now: number) => Promise<readonly Check[]> {
  let last: { at: number; results: Promise<readonly Check[]> } | undefined
  return (now) => {
    if (last === undefined || Math.abs(now - last.at) >= CHECKS_EVERY)
      last = { at: now, results: boundedChecks(checks) }
    return last.results
  }
}

/** A check that fails to answer is an answer. */
async function boundedChecks(checks: Needs['checks']): Promise<readonly Check[]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<readonly Check[]>((resolve) => {
    timer = setTimeout(resolve, LONGEST_CHECK, [{ name: 'checks', ok: false, reason: 'timeout' }])
  })
  const run = checks().catch((): readonly Check[] => [{ name: 'checks', ok: false, reason: 'check_failed' }])
  return Promise.race([run, late]).finally(() => clearTimeout(timer))
}

/** To others it answers what an address that does not exist answers, whatever the method. */
function hidden(allow: Needs['allow'], endpoint: Endpoint): Endpoint {
  return (exchange) => {
    if (!allow(exchange)) throw new RequestError(404, 'metrics_not_allowed', 'There is nothing at this address.')
    return endpoint(exchange)
  }
}

function readOnly(endpoint: Endpoint): Endpoint {
  return (exchange) => {
    checkMethod(exchange, 'GET', 'HEAD')
    return endpoint(exchange)
  }
}

function answer(exchange: Exchange, status: number, body: object): void {
  send(exchange, status, 'application/json', JSON.stringify(body))
}

function send({ req, res }: Exchange, status: number, contentType: string, text: string): void {
  const payload = Buffer.from(text)
  res.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': payload.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  })
  res.end(req.method === 'HEAD' ? undefined : payload)
}

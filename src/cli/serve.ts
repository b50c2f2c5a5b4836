// `portcullis serve`: configuration, store, gate, start text; then until a signal asks it to end.
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatListen, localUrl, parseListen } from '../config/listen.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { startText } from './banner.ts'
import { findFreePort } from './free-port.ts'
import { type Common, loadFor } from './options.ts'
import { pathWithOwnPrograms, startQuickstartServer, type Toolbox } from './quickstart.ts'
import { reloadOnChange } from './reload.ts'

export async function serve(options: Common): Promise<void> {
  const closers: (() => Promise<void>)[] = []
  try {
    // Loading the gate takes longer than anything else here, and waits for nothing.
    const modules = loadModules()
    const { loaded, toolbox } = await prepare(options)
    if (toolbox !== undefined) closers.unshift(() => toolbox.close())
    const { createGateway, openStore, createLog, createMetrics } = await modules
    const config = await withPort(loaded)
    const store = await openStore(config.store)
    closers.unshift(() => store.close())
    const log = createLog({ level: config.log.level })
    const startedAt = Date.now()
    const metrics = createMetrics(config.metrics)
    const build = (wanted: Config) => createGateway(wanted, { store, clock: Date.now, log, startedAt, metrics })
    const gateway = await build(config)
    const load = () => loadAgain(options, toolbox)
    const reloading = reloadOnChange({ loaded, config, gateway, log, load, build })
    closers.unshift(reloading.close)
    const ended = untilSignal()
    clearUp()
    await gateway.listen()
    process.stderr.write(textOf(loaded, config, await gateway.setupUrl()))
    await ended
    store.heedSilence()
  } finally {
    for (const close of closers) await close()
  }
  for (let waited = 0; isDiskAwaited() && waited < LAST_WAIT; waited += TICK) await sleep(TICK)
  process.exit(0)
}

async function loadModules() {
  const [{ createGateway }, { openStore }, { createLog }, { createMetrics }] = await Promise.all([
    import('../gateway.ts'),
    import('../store/open.ts'),
    import('../observe/log.ts'),
    import('../observe/metrics.ts'),
  ])
  return { createGateway, openStore, createLog, createMetrics }
}

const loadAgain = (options: Common, toolbox: Toolbox | undefined) =>
  loadFor(options, toolbox === undefined ? process.env : { ...process.env, TOOLBOX_URL: toolbox.url })

async function prepare(options: Common): Promise<{ loaded: LoadedConfig; toolbox: Toolbox | undefined }> {
  const loaded = await loadFor(options, process.env)
  if (!loaded.quickstart || process.env['TOOLBOX_URL'] !== undefined) return { loaded, toolbox: undefined }
  process.env['PATH'] = pathWithOwnPrograms(process.env['PATH'])
  const toolbox = await startQuickstartServer()
  return { loaded: await loadAgain(options, toolbox), toolbox }
}

/** Port 0 asks for a free one. It is chosen before anything is built, since the URL of every resource may hold it. */
async function withPort({ config, origins }: LoadedConfig): Promise<Config> {
  const listen = parseListen(config.server.listen)
  if (listen === undefined || listen.port !== 0) return config
  const port = await findFreePort(listen.host)
  const derived = origins.find(['server', 'url']).kind === 'default'
  const url = derived ? localUrl({ port }, config.server.tls !== undefined) : config.server.url
  return { ...config, server: { ...config.server, listen: formatListen({ ...listen, port }), url } }
}

function textOf({ source, warnings }: LoadedConfig, config: Config, setupUrl: string | undefined): string {
  const { url } = config.server
  return startText({
    config,
    url,
    source: source.kind === 'environment' ? 'the environment alone' : describe(source),
    warnings,
    setupLink: setupUrl,
    inspectorToken: randomBytes(16).toString('hex'),
  })
}

const describe = ({ kind, path }: { kind: 'file' | 'quickstart'; path: string }): string =>
  kind === 'file' ? path : `quickstart (${path}); yours is ./portcullis.yaml`

/**
 * Before the first caller waits for it: what the start alone needed is a sixth of the memory, and V8 gives it back only after a long
 * idle time. There with --expose-gc, with which bin/ starts us.
 */
function clearUp(): void {
  globalThis.gc?.({ type: 'major', flavor: 'last-resort' })
}

/** The first signal drains, a second one ends at once, whichever of them it is. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    let drains = false
    const heed = (number: number) => () => {
      if (drains) process.exit(128 + number)
      drains = true
      process.on('exit', endInAnyCase)
      resolve()
    }
    process.on('SIGTERM', heed(15))
    process.on('SIGINT', heed(2))
  })
}

/** For what is still written when all is closed. */
const LAST_WAIT = 1000
const TICK = 10

/** An exit waits for the threads of libuv's pool, and one of them may wait for a disk that hangs. */
function endInAnyCase(): void {
  if (isDiskAwaited()) process.kill(process.pid, 'SIGKILL')
}

const isDiskAwaited = (): boolean => process.getActiveResourcesInfo().includes('FSReqCallback')

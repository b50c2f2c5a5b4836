// Reload: SIGHUP, or a change of the configuration file. Validate, build, swap; what cannot be taken keeps the running one.
import { statSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { LoadedConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import type { Gateway } from '../gateway.ts'
import type { Log } from '../observe/log.ts'
import { OperatorError } from '../protocol/errors.ts'

/** Editors write a file in several steps; a few moments of silence end them. */
const SILENCE = 200

interface Needs {
  readonly loaded: LoadedConfig
  readonly config: Config
  readonly gateway: Gateway
  readonly log: Log
  load(): Promise<LoadedConfig>
  build(config: Config): Promise<Gateway>
}

export interface Reloading {
  /** Watches no more, and ends the gateway that answers now beside those that it has replaced. */
  close(): Promise<void>
}

export function reloadOnChange(needs: Needs): Reloading {
  const { log } = needs
  let { gateway, config } = needs
  let running: Promise<void> = Promise.resolve()
  const retired = new Set<Promise<void>>()
  let closed = false

  async function reload(): Promise<void> {
    try {
      const loaded = await needs.load()
      checkSource(needs.loaded.source, loaded.source)
      for (const warning of loaded.warnings) log.warn({}, warning)
      const next = checkReplaceable(config, loaded.config)
      const successor = await needs.build(next)
      if (closed) return await successor.close()
      successor.succeed(gateway)
      retire(gateway)
      gateway = successor
      config = next
      unwatch()
      unwatch = watchFiles(loaded, again)
      log.info({ source: loaded.source }, 'the new configuration is in force')
    } catch (error) {
      if (error instanceof OperatorError)
        log.error({ problem: error.message }, 'the new configuration is refused; the old one stays in force')
      else log.error({ error }, 'the new configuration could not be taken; the old one stays in force')
    }
  }

  function retire(old: Gateway): void {
    const ending = old
      .close()
      .catch((error: unknown) => log.error({ error }, 'the old configuration did not end cleanly'))
    retired.add(ending)
    void ending.then(() => retired.delete(ending))
  }

  const again = () => {
    running = running.then(reload)
  }
  process.on('SIGHUP', again)
  let unwatch = watchFiles(needs.loaded, again)
  return {
    async close() {
      closed = true
      process.off('SIGHUP', again)
      unwatch()
      // What is just being built comes too late, and is not waited for: it may ask others, which take their time.
      await Promise.all([gateway.close(), ...retired])
    },
  }
}

/** A file that is gone, if only for a moment, must not hand its gate to the open rules of the quickstart or of the environment. */
function checkSource(old: Source, next: Source): void {
  if (placeOf(old) === placeOf(next)) return
  throw new OperatorError(
    `The configuration would come from ${placeOf(next)} now, no longer from ${placeOf(old)}. That needs a restart; nothing of it was taken.`,
  )
}

type Source = LoadedConfig['source']
const placeOf = (source: Source): string => (source.kind === 'environment' ? 'the environment alone' : source.path)

const FIXED: readonly (readonly [string, (config: Config) => unknown])[] = [
  ['server.listen', ({ server }) => server.listen],
  // What the files say is read again; which files they are, and whom they ask, belongs to the listener.
  ['server.tls', ({ server }) => server.tls],
  ['forwardAuth.grpc', ({ forwardAuth, doors }) => (doors.decision ? forwardAuth.grpc : undefined)],
  ['server.limits.headers', ({ server }) => server.limits.headers],
  ['server.limits.headersTimeout', ({ server }) => server.limits.headersTimeout],
  ['server.limits.bodyTimeout', ({ server }) => server.limits.bodyTimeout],
  ['server.limits.connections', ({ server }) => server.limits.connections],
  ['store', ({ store }) => store],
  ['cluster', ({ cluster }) => cluster],
  ['log.level', ({ log }) => log.level],
  ['metrics.users', ({ metrics }) => metrics.users],
]

/** What belongs to the process, not to the configuration's swap: the listener with its limits, the store, the log. */
function checkReplaceable(old: Config, next: Config): Config {
  // A free port was chosen at the start, and is kept.
  const kept = old.server.listen.replace(/:\d+$/, ':0') === next.server.listen
  const config = kept ? { ...next, server: { ...next.server, listen: old.server.listen, url: old.server.url } } : next
  const changed = FIXED.filter(([, read]) => JSON.stringify(read(config)) !== JSON.stringify(read(old)))
  if (changed.length === 0) return config
  throw new OperatorError(
    `${changed.map(([name]) => name).join(' and ')} changed. That needs a restart; nothing else of the file was taken either.`,
  )
}

/** Of a file its folder is watched: editors replace a file rather than write into it. */
function watchFiles({ source, watched }: LoadedConfig, onChange: () => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const wait = (): void => {
    clearTimeout(timer)
    timer = setTimeout(onChange, SILENCE)
  }
  const watchers = [...(source.kind === 'file' ? [source.path] : []), ...watched].map((path) => {
    // What is gone now may be back later: its folder says so.
    const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
    return watch(isFolder ? path : dirname(path), { persistent: false }, (_event, changed) => {
      if (isFolder || changed === basename(path)) wait()
    })
  })
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers) watcher.close()
  }
}

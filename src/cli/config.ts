// `portcullis config print | check | schema`.
import { jsonSchema } from '../config/docs.ts'
import { pathText } from '../config/origins.ts'
import { printConfig } from '../config/print.ts'
import { configurationError, placeOf } from '../config/problems.ts'
import { type Common, loadFor } from './options.ts'

async function load(options: Common) {
  const loaded = await loadFor(options)
  for (const warning of loaded.warnings) process.stderr.write(`Warning: ${warning}\n`)
  return loaded
}

export async function printInForce(options: Common): Promise<void> {
  process.stdout.write(printConfig(await load(options)))
}

/** Throws OperatorError for what a start would not find on this machine, all of it at once. */
export async function check(options: Common): Promise<void> {
  const { source, config, input } = await load(options)
  const { findMissing } = await import('../wiring/missing.ts')
  const missing = findMissing(config, process.env).map(({ path, message, remedy }) => ({
    place: placeOf(input.find(path)),
    setting: pathText(path),
    message,
    remedy,
  }))
  if (missing.length > 0) throw configurationError(missing)
  if (config.server.tls !== undefined) (await import('../http/tls-files.ts')).readTlsFiles(config.server.tls)
  // As it is now, from here: no reason against a configuration that is meant for another place and time.
  const { findUnreachable } = await import('../wiring/unreachable.ts')
  for (const { id, code } of await findUnreachable(config))
    process.stderr.write(`Note: ${id} cannot be reached now (${code}).\n`)
  const what = source.kind === 'environment' ? 'The environment' : source.path
  process.stdout.write(`${what} is a valid configuration.\n`)
}

export function printSchema(): void {
  process.stdout.write(`${JSON.stringify(jsonSchema(), undefined, 2)}\n`)
}

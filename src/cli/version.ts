// `portcullis version`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

function readVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : 'unknown'
}

export function printVersion(): void {
  process.stdout.write(`portcullis ${readVersion()}, node ${process.version}\n`)
}

// Values that are written elsewhere: in a file, a variable, our own vault. Looked at again on a timer; what goes missing later stays as it was.
import type { ValueSource } from '../../config/credentials.ts'
import { OperatorError } from '../../protocol/errors.ts'
import type { Vault } from '../../protocol/vault.ts'

export interface SourceNeeds {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Relative paths start at the configuration's folder. */
  readFile(path: string): Promise<string>
  readonly vault: Pick<Vault, 'get'>
  readonly log: { warn(object: object, message: string): void; info(object: object, message: string): void }
}

/** Where the gate's own secrets are: `portcullis secrets put NAME`. */
export const gateSecret = (name: string) => ({ principal: 'gate', upstream: 'gate', field: name })

export interface Values<Made> {
  /** The same one until a value is another. */
  current(): Made
  /** Looks again now; for a timer, and for whoever was refused with what is here. */
  reload(): Promise<void>
  close(): void
}

interface Options<Made> {
  /** As messages call it. */
  readonly server: string
  /** Milliseconds. */
  readonly reload: number
  /** Whether a value can be sent; `undefined` where it can, else what is wrong with it. */
  flawOf(value: string): string | undefined
  make(values: ReadonlyMap<string, string>): Made
}

/** Throws OperatorError where a value is missing at the start. */
export async function openValues<Made>(
  sources: Readonly<Record<string, string | ValueSource>>,
  { server, reload: every, flawOf, make }: Options<Made>,
  needs: SourceNeeds,
): Promise<Values<Made>> {
  const written = Object.entries(sources)
  const elsewhere = written.filter((entry): entry is [string, ValueSource] => typeof entry[1] !== 'string')
  const values = new Map(written.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
  const missing = new Set<string>()

  async function read(source: ValueSource): Promise<string> {
    const value = await readSource(source, needs)
    const flaw = flawOf(source.prefix + value)
    if (flaw !== undefined) throw new Missing(flaw)
    return source.prefix + value
  }

  for (const [name, source] of elsewhere)
    values.set(
      name,
      await read(source).catch((cause: unknown) => {
        throw new OperatorError(
          `servers.${server}.credentials: ${name} is to come from ${placeOf(source)}, ${reasonOf(cause)}. ${cureOf(source)}`,
        )
      }),
    )

  let made = make(values)

  async function reload(): Promise<void> {
    let changed = false
    for (const [name, source] of elsewhere) {
      const about = { server, name, from: placeOf(source) }
      try {
        const value = await read(source)
        if (missing.delete(name)) needs.log.info(about, 'a credential of a server can be read again')
        if (values.get(name) !== value) changed = true
        values.set(name, value)
      } catch (cause) {
        if (!missing.has(name))
          needs.log.warn(
            { ...about, reason: reasonOf(cause) },
            'a credential of a server cannot be read: the last one is used on',
          )
        missing.add(name)
      }
    }
    if (changed) made = make(values)
  }

  const timer = elsewhere.length === 0 ? undefined : setInterval(() => void reload(), Math.max(1000, every))
  timer?.unref()
  return { current: () => made, reload, close: () => clearInterval(timer) }
}

/** The words are shown; they never hold what was read. */
class Missing extends Error {}

async function readSource({ file, env, vault }: ValueSource, needs: SourceNeeds): Promise<string> {
  const value =
    file !== undefined
      ? (await needs.readFile(file)).replace(/\r?\n$/, '')
      : env !== undefined
        ? needs.env[env]
        : await readSecret(vault ?? '', needs)
  if (value === undefined) throw new Missing('which is not there')
  if (value === '') throw new Missing('which is empty')
  return value
}

async function readSecret(name: string, { vault }: SourceNeeds): Promise<string | undefined> {
  const kept = await vault.get(gateSecret(name))
  const value = kept?.secret.toString()
  kept?.secret.fill(0)
  return value
}

const placeOf = ({ file, env, vault }: ValueSource): string =>
  file !== undefined
    ? `the file ${file}`
    : env !== undefined
      ? `the variable ${env}`
      : `the secret ${vault} of the vault`

const cureOf = ({ file, env, vault }: ValueSource): string =>
  file !== undefined
    ? 'Write it there, readable for the gate.'
    : env !== undefined
      ? 'Set it.'
      : `Put it there: portcullis secrets put ${vault}`

function reasonOf(cause: unknown): string {
  if (cause instanceof Missing) return cause.message
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const reason = cause instanceof Error && 'reason' in cause ? cause.reason : undefined
  return `which cannot be read (${String(code ?? reason ?? 'unreadable')})`
}

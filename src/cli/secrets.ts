// `portcullis secrets put | list | remove`: what the configuration names as `{ vault: NAME }`. Write-only: nothing here shows a secret.
import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.ts'
import { createLog } from '../observe/log.ts'
import { OperatorError } from '../protocol/errors.ts'
import { LONGEST_SECRET, type Vault } from '../protocol/vault.ts'
import type { Store } from '../store/store.ts'
import { gateSecret } from '../upstreams/credentials/value-source.ts'
import { withVault } from '../wiring/vault.ts'
import { recordAct } from './act.ts'
import { withStore } from './configuration.ts'
import type { Common } from './options.ts'
import { askHidden, readStdin } from './prompt.ts'

export interface PutOptions extends Common {
  readonly file?: string
}

export interface ListOptions extends Common {
  readonly json: boolean
}

const NAME = /^[A-Za-z0-9._-]{1,128}$/

export async function put(name: string, { file, ...options }: PutOptions): Promise<void> {
  checkName(name)
  const secret = await readSecret(file)
  try {
    await beside(options, async (vault, act) => {
      const stored = await vault.put(gateSecret(name), secret)
      await act('gate_secret_put', name)
      const version = stored.status === 'stored' ? stored.version : 0
      say(`Kept ${name}, version ${version}. Running gates use it after \`reload\` of the server, a minute by default.`)
    })
  } finally {
    secret.fill(0)
  }
}

export function list({ json, ...options }: ListOptions): Promise<void> {
  return beside(options, async (vault) => {
    for (const { field: name, version, createdAt, updatedAt } of await secretsOf(vault))
      process.stdout.write(
        json
          ? `${JSON.stringify({ name, version, createdAt, updatedAt })}\n`
          : `${name.padEnd(24)} version ${version}, changed ${time(updatedAt)}\n`,
      )
  })
}

export async function remove(name: string, options: Common): Promise<void> {
  checkName(name)
  await beside(options, async (vault, act) => {
    if (!(await vault.remove(gateSecret(name))))
      throw new OperatorError(`There is no secret ${name}. \`portcullis secrets list\` shows those there are.`)
    await act('gate_secret_removed', name)
    say(`Removed ${name}. Running gates use the last value of it until they start again.`)
  })
}

const { principal, upstream } = gateSecret('')

async function secretsOf(vault: Vault) {
  return (await vault.list(principal)).filter((secret) => secret.upstream === upstream)
}

type Act = (act: string, name: string) => Promise<void>

function beside(options: Common, use: (vault: Vault, act: Act) => Promise<void>): Promise<void> {
  return withStore(options, ({ durable, records }: Store, { config }: { readonly config: Config }) => {
    const log = createLog({ level: config.log.level })
    // Standard output carries what was asked for alone.
    const print = (line: string) => void process.stderr.write(`${line}\n`)
    const act: Act = (done, name) =>
      recordAct(
        { records, sink: config.audit.sink, print },
        { act: done, reason: 'by_operator', subject: 'operator', by: 'operator', name },
      )
    return withVault(config, { durable, log }, (vault) => use(vault, act))
  })
}

function checkName(name: string): void {
  if (!NAME.test(name)) throw new OperatorError('A name has letters, digits and . _ -, at most 128.')
}

/** Never from the words of the command: they are seen by everybody on the machine. A line break at the end does not count. */
async function readSecret(file: string | undefined): Promise<Buffer> {
  const text = file === undefined ? await readGiven() : readFile(file)
  const secret = Buffer.from(text.replace(/\r?\n$/, ''))
  if (secret.length === 0) throw new OperatorError('The secret is empty.')
  if (secret.length > LONGEST_SECRET) throw new OperatorError(`The secret is longer than ${LONGEST_SECRET} bytes.`)
  return secret
}

const readGiven = (): Promise<string> => (process.stdin.isTTY ? askHidden('Secret: ') : readStdin())

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new OperatorError(`Cannot read the file ${path}. Check its permissions.`, { cause })
  }
}

const time = (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ')
const say = (text: string): void => void process.stderr.write(`${text}\n`)

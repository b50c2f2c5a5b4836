// `portcullis users add`: a local account, its password from the terminal (without echo), a file or stdin; never from the words.
import { readFileSync } from 'node:fs'
import { createAdmission } from '../identity/admission.ts'
import { passwordHasher } from '../identity/password.ts'
import { ACCOUNT_FLAWS, usersOf } from '../identity/users.ts'
import { OperatorError } from '../protocol/errors.ts'
import { recordAct } from './act.ts'
import { withStore } from './configuration.ts'
import type { Common } from './options.ts'
import { askHidden, readStdin } from './prompt.ts'

export interface AddOptions extends Common {
  readonly email?: string
  readonly group?: readonly string[]
  readonly admin: boolean
  readonly passwordFile?: string
}

export function add(username: string, options: AddOptions): Promise<void> {
  return withStore(options, async (store, { config }) => {
    const people = usersOf({
      users: store.durable.users,
      passwords: passwordHasher(),
      counters: store.ephemeral.counters,
      isAdmitted: createAdmission(config.identity),
      clock: Date.now,
    })
    const { email, group: groups = [], admin: administrator } = options
    const password = await readPassword(options)
    const outcome = await people.addLocal({ username, password, email, groups, administrator })
    if (outcome.status === 'refused') throw new OperatorError(`${username}: ${ACCOUNT_FLAWS[outcome.reason]}`)
    const { id, email: address } = outcome.user
    const reason = administrator ? 'administrator' : 'local_account'
    await recordAct(
      { records: store.records, sink: config.audit.sink },
      {
        act: 'user_created',
        reason,
        subject: id,
        ...(address !== undefined && { email: address }),
      },
    )
    // Standard output carries lines of the record alone, as it does in a running gate.
    process.stderr.write(`Added ${administrator ? 'administrator' : 'user'} ${outcome.user.identity}.\n`)
  })
}

async function readPassword({ passwordFile }: AddOptions): Promise<string> {
  if (passwordFile !== undefined) return lastLineEndOff(readSecretFile(passwordFile))
  if (!process.stdin.isTTY) return lastLineEndOff(await readStdin())
  const password = await askHidden('Password: ')
  if ((await askHidden('Again: ')) !== password) throw new OperatorError('The two passwords differ.')
  return password
}

const lastLineEndOff = (text: string): string => text.replace(/\r?\n$/, '')

function readSecretFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new OperatorError(`--password-file: ${path} cannot be read.`, { cause })
  }
}

// `portcullis users add`: a local account, its password from the terminal (without echo), a file or stdin; never from the words. And
// `users disable | enable`, of accounts of any provider.
import { readFileSync } from 'node:fs'
import { createAdmission } from '../identity/admission.ts'
import { passwordHasher } from '../identity/password.ts'
import { ACCOUNT_FLAWS, usersOf } from '../identity/users.ts'
import { OperatorError } from '../protocol/errors.ts'
import { accountOf } from './account.ts'
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

/** What the account has stays, for when it is enabled again; what its clients hold and have open ends at once. */
export function setDisabled(named: string, disabled: boolean, options: Common): Promise<void> {
  return withStore(options, async ({ durable, records }, { config }) => {
    const { id, identity, email } = await accountOf(durable.users, named)
    const now = Date.now()
    await durable.users.setDisabled(id, disabled, now)
    const expiresAt = now + config.oauth.accessTokenTtl + 60_000
    if (disabled) await durable.revocations.add({ kind: 'subject', value: id, at: now, expiresAt })
    await recordAct(
      { records, sink: config.audit.sink },
      {
        act: disabled ? 'user_disabled' : 'user_enabled',
        reason: 'by_operator',
        subject: id,
        ...(email !== undefined && { email }),
        by: 'operator',
      },
    )
    const effect = disabled ? 'refuse it within seconds, and end what it has open' : 'know within seconds'
    process.stderr.write(`${disabled ? 'Disabled' : 'Enabled'} ${identity} (${id}). Running gates ${effect}.\n`)
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

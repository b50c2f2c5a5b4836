// The administrator that the configuration names (BASIC_AUTH_* of ContextForge): nobody outside may meet its default or a weak password.
import type { AdminConfig } from '../config/admin.ts'
import { OperatorError } from '../protocol/errors.ts'
import { findPasswordFlaw, PASSWORD_LEAST_CHARACTERS, type PasswordFlaw } from './password.ts'

const WORDS: Readonly<Record<PasswordFlaw, string>> = {
  too_short: `has fewer than ${PASSWORD_LEAST_CHARACTERS} characters`,
  too_long: 'is too long',
  too_obvious: 'is among the first that an attacker tries',
}
/** sysexits: EX_CONFIG. */
const EXIT = 78

/** `reachable`: from beyond this machine. Throws OperatorError, which never repeats the password. */
export function checkLocalAdministrator({ user = '', password }: AdminConfig, reachable: boolean): void {
  if (password === undefined || !reachable) return
  const flaw = findPasswordFlaw(password, user)
  if (flaw === undefined) return
  throw new OperatorError(
    `admin.password (BASIC_AUTH_PASSWORD) ${WORDS[flaw]}, and the gate can be reached from other machines (server.listen, server.url). Set one of at least ${PASSWORD_LEAST_CHARACTERS} characters, such as a few unrelated words, or take admin.user and admin.password out and use \`portcullis users add --admin\`.`,
    { exitCode: EXIT },
  )
}

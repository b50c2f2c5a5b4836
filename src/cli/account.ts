// Which account an operator means.
import { LOCAL_ISSUER } from '../identity/admission.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { UserRecord, Users } from '../store/durable.ts'

/** By its id, by the name of a local account, or by the verified e-mail address of one account alone. */
export async function accountOf(
  users: Pick<Users, 'find' | 'findByIdentity' | 'findOnlyByEmail'>,
  named: string,
): Promise<UserRecord> {
  const account =
    (await users.find(named)) ??
    (await users.findByIdentity(LOCAL_ISSUER, named.toLowerCase())) ??
    (await users.findOnlyByEmail(named.toLowerCase()))
  if (account === undefined)
    throw new OperatorError(
      `${named}: there is no account of this id, no local account of this name, and not one account alone with this verified address.`,
    )
  return account
}

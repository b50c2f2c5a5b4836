// The person behind a subject, as the library asks for them: gone, disabled or no longer admitted means that nothing is issued.
import type { Account } from 'oidc-provider'
import type { UserRecord } from '../store/durable.ts'

interface Needs {
  findUser(id: string): Promise<UserRecord | undefined>
  isAdmitted(user: UserRecord): boolean
}

/** Claims of each scope, OpenID Connect Core §5.4. Groups stay inside: they are looked up at every use. */
export const CLAIMS = {
  openid: ['sub'],
  email: ['email', 'email_verified'],
  profile: ['name'],
}

export function accountFinder({ findUser, isAdmitted }: Needs) {
  return async function findAccount(_ctx: unknown, subject: string): Promise<Account | undefined> {
    const user = await findUser(subject)
    if (!user || user.disabled || !isAdmitted(user)) return undefined
    return {
      accountId: subject,
      claims: async () => ({
        sub: subject,
        ...(user.email === undefined ? {} : { email: user.email, email_verified: user.emailVerified }),
        ...(user.name === undefined ? {} : { name: user.name }),
      }),
    }
  }
}

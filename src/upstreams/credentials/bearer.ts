// A token as the credential of a server's calls: RFC 6750 §2.1.
import type { TokenAnswer } from '../authorization-server/token-endpoint.ts'
import { type Had, hadFor } from '../held.ts'
import type { Given } from '../upstream.ts'

/** RFC 6749 §5.1 only recommends `expires_in`. */
const UNSAID = 5 * 60_000

/** As `Authorization`, used up to `longest` and never past its end. */
export function bearerUntil({ accessToken, endsAt }: TokenAnswer, now: number, longest = Infinity): Had<Given> {
  const value = { headers: { authorization: `Bearer ${accessToken}` } }
  const life = Math.max(0, Math.min((endsAt ?? now + UNSAID) - now, longest))
  return hadFor(value, life, now)
}

// What an AWS load balancer signs of the caller (`X-Amzn-Oidc-Data`): nearly a JWT. Its parts are padded and signed as they are written,
// and who signed, for whom and until when stands in the header; the payload is what somebody's UserInfo endpoint said.
import { type KeyObject, verify } from 'node:crypto'
import { type FindKeys, type Jwt, parseJwt, refuseToken } from './jwt.ts'

interface Needs {
  /** ARN of the load balancer: everybody's are signed with keys from the same address. */
  readonly signer: string
  readonly findKeys: FindKeys
}

/** The claims, with `iss`, `exp` and `aud` (the client that the load balancer is) as the signed header has them. */
export function loadBalancerAssertion({ signer, findKeys }: Needs): (assertion: string) => Promise<Jwt> {
  return async (assertion) => {
    const jwt = parseJwt(withoutPadding(assertion))
    const { alg, members } = jwt.header
    if (alg !== 'ES256') throw refuseToken('algorithm')
    // Before any key is looked for: whose signature it would have to be costs nothing to read.
    if (members['signer'] !== signer) throw refuseToken('signer_mismatch')
    const keys = await findKeys(jwt.header)
    if (keys.length === 0) throw refuseToken('unknown_key')
    if (!keys.some((key) => isSignedBy(key, assertion))) throw refuseToken('bad_signature')
    return { header: jwt.header, claims: ofHeader(jwt) }
  }
}

/** RFC 7515 §2 has no padding; of two ways to write a part only these two are taken, each whole. */
function withoutPadding(assertion: string): string {
  return assertion
    .split('.')
    .map((part) => (part.length % 4 === 0 ? part.replace(/={1,2}$/, '') : part))
    .join('.')
}

function isSignedBy(key: KeyObject, assertion: string): boolean {
  const end = assertion.lastIndexOf('.')
  const signature = Buffer.from(assertion.slice(end + 1), 'base64url')
  return verify('sha256', Buffer.from(assertion.slice(0, end)), { key, dsaEncoding: 'ieee-p1363' }, signature)
}

/** The payload may say the same once more, and nothing else. */
function ofHeader({ header: { members }, claims }: Jwt): Jwt['claims'] {
  const { iss, exp, client } = members
  if (claims['iss'] !== undefined && claims['iss'] !== iss) throw refuseToken('issuer_mismatch')
  if (claims['exp'] !== undefined && claims['exp'] !== exp) throw refuseToken('claim_type')
  if (typeof iss !== 'string' || iss === '') throw refuseToken('claim_type')
  return { ...claims, iss, exp, aud: client }
}

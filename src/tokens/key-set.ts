// The public halves of our signing keys, RFC 7517.

interface PublicPart {
  kty?: string | undefined
  crv?: string | undefined
  x?: string | undefined
  y?: string | undefined
  kid?: string | undefined
  alg?: string | undefined
  use?: string | undefined
}

/** By name, not by leaving out: a member nobody thought of stays inside. */
export const publicKeySet = (keys: readonly PublicPart[]) => ({
  keys: keys.map(({ kty, crv, x, y, kid, alg, use }) => ({ kty, crv, x, y, kid, alg, use })),
})

// RSA keys of a broken generator (CVE-2017-15361, "ROCA"), which can be factored: their modulus is a power of 65537 modulo each of
// many small primes. A modulus of honest making is so for all of these with a chance below one in 2^34.
const PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157, 181, 191, 193, 197, 199]
const POWERS = PRIMES.map((prime) => ({ prime: BigInt(prime), residues: powersOf65537(prime) }))

function powersOf65537(prime: number): ReadonlySet<number> {
  const residues = new Set<number>()
  for (let power = 1; !residues.has(power); power = (power * 65_537) % prime) residues.add(power)
  return residues
}

/** `modulus`: `n` of a JWK (RFC 7518 §6.3.1.1). */
export function isRocaModulus(modulus: string): boolean {
  const n = BigInt(`0x0${Buffer.from(modulus, 'base64url').toString('hex')}`)
  return POWERS.every(({ prime, residues }) => residues.has(Number(n % prime)))
}

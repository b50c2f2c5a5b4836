// `expires_in` of a token answer, which servers only should send (RFC 6749 §5.1), and which some send as text, as null or as 0.

/** In seconds; `undefined` for what says no time to come: how long the token lives is then not known. */
export function lifeOf(said: unknown): number | undefined {
  const seconds = typeof said === 'string' && said.trim() !== '' ? Number(said) : said
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0 ? seconds : undefined
}

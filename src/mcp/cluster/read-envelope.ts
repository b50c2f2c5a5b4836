// Reads what comes to the listener for replicas. Whoever reaches that port could fill the memory: of those who have not proved that they are
// a replica little is kept, however many they are.

/** At once, of all that nothing is known of yet. */
const MOST_UNPROVED = 32 * 1024 * 1024

/** Whether it begins as an envelope for us; a number: so many bytes have to be there before that can be said. */
export type Judge = (bytes: Buffer) => boolean | number
export type Read = (from: AsyncIterable<Buffer>) => Promise<Buffer | 'malformed' | 'not_sealed_for_us'>

/**
 * What is refused is read to its end, and none of it kept: a replica that takes us for another hears so when it has said all. Beyond
 * `most` bytes nobody is listened to.
 */
export function envelopeReader(most: number, judge: Judge): Read {
  let unproved = 0
  return async (from) => {
    const chunks: Buffer[] = []
    let size = 0
    let held = 0
    const state: { verdict: boolean | number } = { verdict: 4 }
    const settle = (verdict: boolean | number): void => {
      state.verdict = verdict
      if (typeof verdict === 'number') return
      unproved -= held
      held = 0
      if (!verdict) chunks.length = 0
    }
    try {
      for await (const chunk of from) {
        size += chunk.length
        if (size > most) return 'malformed'
        if (state.verdict === false) continue
        chunks.push(chunk)
        if (state.verdict === true) continue
        held += chunk.length
        unproved += chunk.length
        if (size >= state.verdict) settle(judge(Buffer.concat(chunks)))
        if (typeof state.verdict === 'number' && unproved > MOST_UNPROVED) settle(false)
      }
    } catch {
      // The other replica has broken off: there is no request, and nobody to tell.
      return 'malformed'
    } finally {
      unproved -= held
    }
    if (typeof state.verdict === 'number') return 'malformed'
    return state.verdict ? Buffer.concat(chunks) : 'not_sealed_for_us'
  }
}

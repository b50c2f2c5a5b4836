// Of the places at one server, how many each caller has: so that one of them, whatever they do, leaves some to the others.

/** One caller's, or the gate's own. */
export interface Share {
  readonly most: number
  readonly inFlight: number
  readonly waiting: number
  count(what: 'inFlight' | 'waiting', by: 1 | -1): void
}

/** Answers the share of a caller; it is known as long as there is something in it. `most`: under way, and waiting, each. */
export function createShares(most: number): (whose: string) => Share {
  const known = new Map<string, Share>()
  return (whose) =>
    known.get(whose) ??
    createShare(most, (share) => {
      if (share.inFlight + share.waiting > 0) known.set(whose, share)
      else known.delete(whose)
    })
}

export function createShare(most: number, onChange: (share: Share) => void = () => undefined): Share {
  const share = {
    most,
    inFlight: 0,
    waiting: 0,
    count(what: 'inFlight' | 'waiting', by: 1 | -1) {
      share[what] += by
      onChange(share)
    },
  }
  return share
}

// The gateways that share this store and can be reached by one another: for what lives in one process alone.

/** One boot of one replica: its successor at the same address is another. */
export interface Replica {
  readonly id: string
  /** URL of its listener for replicas. */
  readonly address: string
}

export interface Replicas {
  /** Says that it is there, until then. */
  beat(replica: Replica, expiresAt: number): Promise<void>
  /** `undefined`: it was never there, or has been silent for too long. */
  find(id: string, now: number): Promise<Replica | undefined>
  /** It says itself that it goes. */
  leave(id: string): Promise<void>
}

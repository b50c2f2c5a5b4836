// Sessions of handshake clients at addresses with several servers behind them: what the client said of itself, and the session that we
// have for it at each server, its leg. They expire; a row that is not there is a session that has ended.

export interface ClientSession {
  readonly id: string
  readonly subject: string
  /** The client's handshake, a document of the door's. */
  readonly hello: Readonly<Record<string, unknown>>
  readonly logLevel: string | undefined
  readonly createdAt: number
  readonly usedAt: number
  readonly expiresAt: number
}

export interface SessionLeg {
  readonly session: string
  readonly server: string
  /** The server's id of its session, sealed. Tells this leg from the ones before and after it. */
  readonly sealedId: string
  readonly revision: string
  readonly capabilities: Readonly<Record<string, unknown>>
}

export interface ClientSessions {
  /** Begins it, and ends the subject's longest unused ones beyond `most`: answers the legs of those. */
  begin(session: ClientSession, most: number): Promise<readonly SessionLeg[]>
  find(id: string, now: number): Promise<{ session: ClientSession; legs: readonly SessionLeg[] } | undefined>
  touch(id: string, use: { usedAt: number; expiresAt: number }): Promise<void>
  setLogLevel(id: string, level: string): Promise<void>
  /**
   * Keeps a leg where there is none, or in place of the one that `replaces` names, and answers the one that holds: of several
   * replicas the first wins. `undefined`: the session has ended.
   */
  keepLeg(leg: SessionLeg, replaces: string | undefined, expiresAt: number): Promise<SessionLeg | undefined>
  /** Ends it. Of several enders one is given its legs. */
  end(id: string): Promise<readonly SessionLeg[]>
  /** Takes a subject's legs at one server out of all their sessions, and answers them. */
  endLegs(subject: string, server: string): Promise<readonly SessionLeg[]>
  /** Ends up to `most` that have expired, and answers their legs. */
  endExpired(now: number, most: number): Promise<readonly SessionLeg[]>
}

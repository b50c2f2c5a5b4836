// What became of a person's account at a server, for the record.

/** What the record is told; without a secret. */
export interface ConnectionAct {
  readonly act: 'connection_made' | 'connection_refused' | 'connection_lapsed' | 'connection_ended'
  readonly decision: 'allow' | 'deny'
  readonly reason: string
  readonly subject: string
  /** Id of the server behind us. */
  readonly name: string
}

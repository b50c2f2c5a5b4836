// A key that wraps data keys, wherever it is kept.

export interface WrappingKey {
  readonly id: string
  /** `context` is authenticated where the keeper of the key can do that, and must be given again to unwrap. */
  wrap(dataKey: Buffer, context: Buffer): Promise<Buffer>
  /** Throws NotUnwrapped for what this key did not wrap in this context; anything else thrown means that it cannot be used now. */
  unwrap(wrapped: Buffer, context: Buffer): Promise<Buffer>
}

/** The key answered, and this was not wrapped with it. */
export class NotUnwrapped extends Error {
  override readonly name = 'NotUnwrapped'

  constructor(cause?: unknown) {
    super('not wrapped with this key', cause === undefined ? undefined : { cause })
  }
}

// What a door may answer when it refuses, one family a wire dialect. Thrown where noticed, translated once (http/responses.ts).
// `message` goes out; `reason` is the stable slug for log, metric, audit and explain and never leaves the house.

/** Codes of RFC 6750 §3.1 and the status each one has. The status lives here and nowhere else. */
const BEARER_ERRORS = { invalid_request: 400, invalid_token: 401, insufficient_scope: 403 } as const
export type BearerCode = keyof typeof BEARER_ERRORS

/** A protected resource refuses the credential (RFC 6750). No `code` means that no credential came (RFC 6750 §3.1, last paragraph). */
export class BearerError extends Error {
  override readonly name = 'BearerError'
  readonly code: BearerCode | undefined
  readonly reason: string
  /** Every scope the operation needs, for `insufficient_scope` (MCP 2026-07-28, Authorization: scope challenge). */
  readonly scopes: readonly string[]

  constructor(code: BearerCode | undefined, reason: string, message: string, scopes: readonly string[] = []) {
    super(message)
    this.code = code
    this.reason = reason
    this.scopes = scopes
  }

  get status(): number {
    return this.code === undefined ? 401 : BEARER_ERRORS[this.code]
  }
}

/** A refusal once the JSON-RPC message is understood, or is known to be none. `status` is the HTTP status around it. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: number
  readonly reason: string
  readonly status: number
  readonly data: unknown
  /** Seconds. */
  readonly retryAfter: number | undefined

  constructor(
    code: number,
    reason: string,
    message: string,
    options: { status?: number; data?: unknown; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.reason = reason
    this.status = options.status ?? 400
    this.data = options.data
    this.retryAfter = options.retryAfter
  }
}

/** A refusal of plain HTTP: framing, address, size, rate. `retryAfter` is in seconds. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly status: number
  readonly reason: string
  readonly retryAfter: number | undefined
  /** The connection's framing can no longer be trusted: answer, then close it. */
  readonly close: boolean

  constructor(
    status: number,
    reason: string,
    message: string,
    options: { retryAfter?: number; close?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.status = status
    this.reason = reason
    this.retryAfter = options.retryAfter
    this.close = options.close ?? false
  }
}

/** A message to the operator: what is wrong, where, and what to do. Printed without a stack; ends the command with `exitCode`. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError'
  readonly exitCode: number

  constructor(message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = options.exitCode ?? 1
  }
}

/** The store cannot take the write now (disk full, connection lost, locked): 503, nothing was half done. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}

// JSON-RPC 2.0 messages as MCP uses them.

export type RpcId = string | number

export interface RpcRequest {
  readonly jsonrpc: '2.0'
  readonly id: RpcId
  readonly method: string
  readonly params?: Record<string, unknown>
}
export interface RpcNotification {
  readonly jsonrpc: '2.0'
  readonly method: string
  readonly params?: Record<string, unknown>
}
export interface RpcResponse {
  readonly jsonrpc: '2.0'
  readonly id: RpcId | null
  readonly result?: unknown
  readonly error?: { code: number; message: string; data?: unknown }
}
export type RpcMessage = RpcRequest | RpcNotification | RpcResponse

/** The error object on the wire; `id` is null when the request's own id is not known. */
export function rpcError(id: RpcId | null, error: { code: number; message: string; data?: unknown }): RpcResponse {
  const { code, message, data } = error
  return { jsonrpc: '2.0', id, error: data === undefined ? { code, message } : { code, message, data } }
}

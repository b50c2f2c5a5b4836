// A gRPC call as whoever answers it sees it; what carries it is loaded where it is configured (grpc.ts).
import type { Socket } from 'node:net'

export interface GrpcCall {
  /** Of the connection; what it is asked later, after its end, it no longer knows. */
  readonly socket: Socket
  /** Milliseconds that the client waits; `undefined` where it did not say. */
  readonly timeout: number | undefined
  /** The one message of the call: at most so many bytes, within so many milliseconds. Throws RequestError. */
  read(most: number, timeout: number): Promise<Buffer>
}

/** Answers whatever happens: an error of the transport would leave the decision to the client. */
export type GrpcMethod = (call: GrpcCall) => Promise<Buffer>
export type GrpcMethods = ReadonlyMap<string, GrpcMethod>

/** How many calls are being answered: what is replaced may go when the last of them has ended. */
export function countCalls(methods: GrpcMethods): { methods: GrpcMethods; ended(grace: number): Promise<void> } {
  const running = new Set<Promise<Buffer>>()
  const counted = (method: GrpcMethod): GrpcMethod => {
    return (call) => {
      const answer = method(call).finally(() => running.delete(answer))
      running.add(answer)
      return answer
    }
  }
  return {
    methods: new Map([...methods].map(([name, method]) => [name, counted(method)])),
    async ended(grace) {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, grace)
      })
      await Promise.race([Promise.allSettled(running), late])
      clearTimeout(timer)
    },
  }
}

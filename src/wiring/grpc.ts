// The listener for Envoy's questions over gRPC, where one is configured: only then its protocol is loaded.
import type { GrpcListener } from '../http/grpc.ts'
import type { GrpcMethods } from '../http/grpc-calls.ts'
import type { Ground } from './ground.ts'

const CLOSED: GrpcListener = {
  use: () => undefined,
  open: async () => undefined,
  close: async () => undefined,
}

export async function openGrpc({ config, log }: Ground, methods: GrpcMethods): Promise<GrpcListener> {
  const { server, forwardAuth, doors } = config
  const listen = doors.decision ? forwardAuth.grpc : undefined
  if (listen === undefined) return CLOSED
  const { createGrpcListener } = await import('../http/grpc.ts')
  return createGrpcListener({ listen, tls: server.tls, methods, limits: server.limits, log })
}

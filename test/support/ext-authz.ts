// The question of Envoy's ext_authz filter over gRPC, asked by grpc-js: another implementation of the protocol than the gate's.
import { join } from 'node:path'
import { type ChannelCredentials, credentials, loadPackageDefinition, type ServiceError } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

export interface HttpAttributes {
  readonly method?: string
  readonly path?: string
  readonly host?: string
  readonly scheme?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly header_map?: { readonly headers: readonly { readonly key: string; readonly raw_value: Buffer }[] }
  readonly body?: string
  readonly raw_body?: Buffer
}

export interface Question {
  readonly http: HttpAttributes
  readonly source?: { readonly address?: string; readonly principal?: string; readonly certificate?: string }
  readonly context_extensions?: Readonly<Record<string, string>>
}

export interface HeaderOption {
  readonly header: { readonly key: string; readonly value: string }
  readonly append: { readonly value: boolean } | null
  readonly append_action: string
}

export interface CheckAnswer {
  readonly status: { readonly code: number }
  readonly http_response: 'ok_response' | 'denied_response'
  readonly ok_response?: { readonly headers: readonly HeaderOption[]; readonly headers_to_remove: readonly string[] }
  readonly denied_response?: {
    readonly status: { readonly code: number }
    readonly headers: readonly HeaderOption[]
    readonly body: string
  }
  readonly dynamic_metadata: {
    readonly fields: Readonly<Record<string, { readonly stringValue: string }>>
  }
}

export interface Asking {
  /** Rejects with gRPC's own error. */
  check(question: Question, options?: { deadline?: number }): Promise<CheckAnswer>
  /** The same with a message as it is, whatever is in it. */
  send(message: Buffer): Promise<CheckAnswer>
  close(): void
}

const DEFINITION = loadSync(join(import.meta.dirname, 'ext-authz.proto'), {
  keepCase: true,
  defaults: true,
  oneofs: true,
  enums: String,
})
const METHOD = '/envoy.service.auth.v3.Authorization/Check'

/** Generous: it only ends a test that would otherwise hang. */
const PATIENCE = 45_000

export function askOverGrpc(port: number, secure: ChannelCredentials = credentials.createInsecure()): Asking {
  const { envoy } = loadPackageDefinition(DEFINITION) as unknown as Loaded
  const client = new envoy.service.auth.v3.Authorization(`127.0.0.1:${port}`, secure)
  const { Check } = envoy.service.auth.v3.Authorization.service
  const call = (serialize: (value: never) => Buffer, value: unknown, deadline = PATIENCE) =>
    new Promise<CheckAnswer>((resolve, reject) => {
      const answered = (error: ServiceError | null, answer?: CheckAnswer) =>
        error === null && answer !== undefined ? resolve(answer) : reject(error)
      client.makeUnaryRequest(
        METHOD,
        serialize,
        Check.responseDeserialize,
        value,
        { deadline: Date.now() + deadline },
        answered,
      )
    })
  return {
    check: (question, { deadline } = {}) => call(Check.requestSerialize, messageOf(question), deadline),
    send: (message) => call(() => message, undefined),
    close: () => client.close(),
  }
}

/** The message of a question. */
export function serialized(question: Question): Buffer {
  const { envoy } = loadPackageDefinition(DEFINITION) as unknown as Loaded
  return envoy.service.auth.v3.Authorization.service.Check.requestSerialize(messageOf(question) as never)
}

interface Loaded {
  readonly envoy: { service: { auth: { v3: { Authorization: AuthorizationClient } } } }
}

interface AuthorizationClient {
  new (
    address: string,
    secure: ChannelCredentials,
  ): {
    makeUnaryRequest(
      method: string,
      serialize: (value: never) => Buffer,
      deserialize: (bytes: Buffer) => CheckAnswer,
      value: unknown,
      options: { deadline: number },
      answered: (error: ServiceError | null, answer?: CheckAnswer) => void,
    ): void
    close(): void
  }
  readonly service: {
    Check: { requestSerialize(value: never): Buffer; responseDeserialize(bytes: Buffer): CheckAnswer }
  }
}

const messageOf = ({ http, source = {}, context_extensions = {} }: Question) => ({
  attributes: {
    source: {
      address: { socket_address: { address: source.address ?? '203.0.113.9', port_value: 40_000 } },
      principal: source.principal ?? '',
      certificate: source.certificate ?? '',
    },
    destination: { address: { socket_address: { address: '10.0.0.5', port_value: 443 } } },
    request: { time: { seconds: 1, nanos: 2 }, http: { id: '1', size: -1, protocol: 'HTTP/1.1', ...http } },
    context_extensions,
  },
})

/** What the server behind gets of a field: the caller's own, unless the answer says otherwise. */
export function fieldsBehind(answer: CheckAnswer, sent: Readonly<Record<string, string>>): Record<string, string> {
  const { headers = [], headers_to_remove = [] } = answer.ok_response ?? {}
  const fields: Record<string, string> = { ...sent }
  for (const { header } of headers) fields[header.key] = header.value
  for (const name of headers_to_remove) delete fields[name]
  return fields
}

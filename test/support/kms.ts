// Key services as they look over HTTP: AWS KMS, Google Cloud KMS, Azure Key Vault and the transit engine of HashiCorp Vault, with one
// key each; and stand-ins for the packages that speak to the first three, which are not among our dependencies.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'

interface Asked {
  readonly path: string
  readonly target: string
  readonly token: string
  readonly body: Record<string, unknown>
}

export interface KeyServices {
  readonly url: string
  /** Bodies as they came. */
  readonly asked: readonly Asked[]
  /** Answers 503 to everything. */
  down: boolean
  /** Another key in place of the one there was. */
  replaceKey(): void
  load(name: string): Promise<unknown>
  close(): Promise<void>
}

const TOKEN = 'transit-token'

export async function startKeyServices(): Promise<KeyServices> {
  let key = randomBytes(32)
  const asked: Asked[] = []
  const server = createServer(async (req, res) => {
    const path = (req.url ?? '').replace(/\?.*/, '')
    const target = String(req.headers['x-amz-target'] ?? '')
    const question = { path, target, token: String(req.headers['x-vault-token'] ?? ''), body: await readJson(req) }
    asked.push(question)
    const { status, answer } = services.down ? { status: 503, answer: { errors: ['sealed'] } } : reply(question, key)
    res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  const services: KeyServices = {
    url,
    asked,
    down: false,
    replaceKey() {
      key = randomBytes(32)
    },
    load: async (name) => standIn(name, url),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return services
}

async function readJson(req: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>
}

interface Reply {
  readonly status: number
  readonly answer: object
}

function reply({ path, target, token, body }: Asked, key: Buffer): Reply {
  const bytes = (member: string) => Buffer.from(String(body[member] ?? ''), 'base64')
  if (target.startsWith('TrentService.')) return aws(target, body, key)
  if (path.endsWith(':encrypt'))
    return ok({
      ciphertext: seal(key, bytes('plaintext'), String(body['additionalAuthenticatedData'])).toString('base64'),
    })
  if (path.endsWith(':decrypt')) {
    const plain = unseal(key, bytes('ciphertext'), String(body['additionalAuthenticatedData']))
    return plain === undefined
      ? { status: 400, answer: { error: { code: 400, status: 'INVALID_ARGUMENT' } } }
      : ok({ plaintext: plain.toString('base64') })
  }
  if (path.endsWith('/wrapkey'))
    return ok({ value: seal(key, bytes('value'), String(body['alg'])).toString('base64url') })
  if (path.endsWith('/unwrapkey')) {
    const plain = unseal(key, bytes('value'), String(body['alg']))
    if (plain === undefined) return { status: 400, answer: { error: { code: 'BadParameter' } } }
    return ok({ value: plain.toString('base64url') })
  }
  return transit({ path, token, body }, key)
}

const ok = (answer: object): Reply => ({ status: 200, answer })

function aws(target: string, body: Record<string, unknown>, key: Buffer): Reply {
  const context = JSON.stringify(body['EncryptionContext'])
  if (target === 'TrentService.Encrypt') {
    const blob = seal(key, Buffer.from(String(body['Plaintext']), 'base64'), context)
    return ok({ CiphertextBlob: blob.toString('base64'), KeyId: body['KeyId'] })
  }
  const plain = unseal(key, Buffer.from(String(body['CiphertextBlob']), 'base64'), context)
  if (plain === undefined) return { status: 400, answer: { __type: 'InvalidCiphertextException' } }
  return ok({ Plaintext: plain.toString('base64'), KeyId: body['KeyId'] })
}

function transit({ path, token, body }: Omit<Asked, 'target'>, key: Buffer): Reply {
  if (token !== TOKEN) return { status: 403, answer: { errors: ['permission denied'] } }
  const [, act, name] = /^\/v1\/transit\/(encrypt|decrypt)\/(.+)$/.exec(path) ?? []
  if (name !== 'portcullis') return { status: 400, answer: { errors: ['encryption key not found'] } }
  const context = String(body['associated_data'])
  if (act === 'encrypt') {
    const sealed = seal(key, Buffer.from(String(body['plaintext']), 'base64'), context)
    return ok({ data: { ciphertext: `vault:v1:${sealed.toString('base64')}` } })
  }
  const plain = unseal(key, Buffer.from(String(body['ciphertext']).slice('vault:v1:'.length), 'base64'), context)
  if (plain === undefined) return { status: 400, answer: { errors: ['cipher: message authentication failed'] } }
  return ok({ data: { plaintext: plain.toString('base64') } })
}

function seal(key: Buffer, plain: Buffer, context: string): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function unseal(key: Buffer, sealed: Buffer, context: string): Buffer | undefined {
  if (sealed.length < 28) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 })
  decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(-16))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
  } catch {
    return undefined
  }
}

type Json = Record<string, unknown>

async function post(url: string, body: Json, headers: Record<string, string> = {}) {
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: answer.status, body: (await answer.json()) as Json }
}

const base64 = (value: unknown, form: BufferEncoding = 'base64'): string =>
  Buffer.from(value as Uint8Array).toString(form)
const bytesOf = (value: unknown): Uint8Array => Uint8Array.from(Buffer.from(String(value), 'base64'))

/** As the packages look from outside: their constructors, methods, answers and errors. */
function standIn(name: string, url: string): unknown {
  if (name === '@aws-sdk/client-kms') return awsPackage(url)
  if (name === '@google-cloud/kms') return gcpPackage(url)
  if (name === '@azure/keyvault-keys') return azurePackage(url)
  if (name === '@azure/identity') return { DefaultAzureCredential: class {} }
  throw new Error(`No stand-in for ${name}`)
}

function awsPackage(url: string): unknown {
  class Command {
    readonly input: Json
    constructor(input: Json) {
      this.input = input
    }
  }
  class EncryptCommand extends Command {}
  class DecryptCommand extends Command {}
  class KMSClient {
    async send(command: Command): Promise<Json> {
      const act = command instanceof EncryptCommand ? 'Encrypt' : 'Decrypt'
      const given = { ...command.input }
      for (const member of ['Plaintext', 'CiphertextBlob'])
        if (given[member] !== undefined) given[member] = base64(given[member])
      const { status, body } = await post(url, given, { 'x-amz-target': `TrentService.${act}` })
      if (status !== 200) throw Object.assign(new Error('KMS'), { name: String(body['__type'] ?? 'ServiceException') })
      const member = act === 'Encrypt' ? 'CiphertextBlob' : 'Plaintext'
      return { ...body, [member]: bytesOf(body[member]) }
    }
  }
  return { KMSClient, EncryptCommand, DecryptCommand }
}

function gcpPackage(url: string): unknown {
  async function ask(act: 'encrypt' | 'decrypt', { name, ...given }: Json): Promise<Json[]> {
    const wire = Object.fromEntries(Object.entries(given).map(([member, value]) => [member, base64(value)]))
    const { status, body } = await post(`${url}/v1/${String(name)}:${act}`, wire)
    if (status !== 200) throw Object.assign(new Error('KMS'), { code: status === 400 ? 3 : 14 })
    return [Object.fromEntries(Object.entries(body).map(([member, value]) => [member, bytesOf(value)]))]
  }
  class KeyManagementServiceClient {
    encrypt = (request: Json) => ask('encrypt', request)
    decrypt = (request: Json) => ask('decrypt', request)
  }
  return { KeyManagementServiceClient }
}

function azurePackage(url: string): unknown {
  class CryptographyClient {
    readonly path: string
    constructor(key: string) {
      this.path = new URL(key).pathname
    }
    wrapKey = (alg: string, key: Uint8Array) => this.ask('wrapkey', alg, key)
    unwrapKey = (alg: string, key: Uint8Array) => this.ask('unwrapkey', alg, key)
    async ask(act: string, alg: string, key: Uint8Array): Promise<Json> {
      const { status, body } = await post(`${url}${this.path}/${act}`, { alg, value: base64(key, 'base64url') })
      if (status !== 200) throw Object.assign(new Error('Key Vault'), { statusCode: status })
      return { algorithm: alg, result: bytesOf(body['value']) }
    }
  }
  return { CryptographyClient }
}

// Google Cloud KMS: encrypt and decrypt of a symmetric key. Credentials are the library's.
import { isRecord } from '../../protocol/json.ts'
import { NotUnwrapped, type WrappingKey } from '../wrapping-key.ts'
import { asBuffer, type LoadPackage, needPackage } from './optional-package.ts'

type Method = (request: object) => Promise<unknown>

interface Gcp {
  readonly KeyManagementServiceClient: new () => { encrypt: Method; decrypt: Method }
}

const isGcp = (module: unknown): module is Gcp =>
  isRecord(module) && typeof module['KeyManagementServiceClient'] === 'function'

/** google.rpc.Code INVALID_ARGUMENT: the ciphertext is none of this key's. */
const INVALID_ARGUMENT = 3

export async function gcpKey({ id, key }: { id: string; key: string }, load: LoadPackage): Promise<WrappingKey> {
  const parse = (module: unknown) => (isGcp(module) ? module : undefined)
  const gcp = await needPackage(load, { name: '@google-cloud/kms', key: id, parse })
  const client = new gcp.KeyManagementServiceClient()
  return {
    id,
    async wrap(dataKey, context) {
      const request = { name: key, plaintext: dataKey, additionalAuthenticatedData: context }
      return memberOf(await client.encrypt(request), 'ciphertext')
    },
    async unwrap(wrapped, context) {
      const request = { name: key, ciphertext: wrapped, additionalAuthenticatedData: context }
      const answer = await client.decrypt(request).catch((error: unknown) => {
        throw isRecord(error) && error['code'] === INVALID_ARGUMENT ? new NotUnwrapped(error) : error
      })
      return memberOf(answer, 'plaintext')
    },
  }
}

/** The library answers a list, the response first. */
function memberOf(answer: unknown, member: 'ciphertext' | 'plaintext'): Buffer {
  const [response]: unknown[] = Array.isArray(answer) ? answer : []
  return asBuffer(isRecord(response) ? response[member] : undefined)
}

// Azure Key Vault: wrapKey and unwrapKey. It authenticates no context: that a data key was not moved is the envelope's own proof.
import { isRecord } from '../../protocol/json.ts'
import { NotUnwrapped, type WrappingKey } from '../wrapping-key.ts'
import { asBuffer, type LoadPackage, needPackage } from './optional-package.ts'

type Method = (algorithm: string, key: Uint8Array) => Promise<unknown>

interface Keys {
  readonly CryptographyClient: new (key: string, credential: object) => { wrapKey: Method; unwrapKey: Method }
}

interface Identity {
  readonly DefaultAzureCredential: new () => object
}

const isKeys = (module: unknown): module is Keys =>
  isRecord(module) && typeof module['CryptographyClient'] === 'function'
const isIdentity = (module: unknown): module is Identity =>
  isRecord(module) && typeof module['DefaultAzureCredential'] === 'function'

const BAD_REQUEST = 400

export interface AzureKey {
  readonly id: string
  readonly key: string
  readonly algorithm: string
}

export async function azureKey({ id, key, algorithm }: AzureKey, load: LoadPackage): Promise<WrappingKey> {
  const keys = await needPackage(load, {
    name: '@azure/keyvault-keys',
    key: id,
    parse: (module) => (isKeys(module) ? module : undefined),
  })
  const identity = await needPackage(load, {
    name: '@azure/identity',
    key: id,
    parse: (module) => (isIdentity(module) ? module : undefined),
  })
  const client = new keys.CryptographyClient(key, new identity.DefaultAzureCredential())
  return {
    id,
    async wrap(dataKey) {
      return resultOf(await client.wrapKey(algorithm, dataKey))
    },
    async unwrap(wrapped) {
      const answer = await client.unwrapKey(algorithm, wrapped).catch((error: unknown) => {
        throw isRecord(error) && error['statusCode'] === BAD_REQUEST ? new NotUnwrapped(error) : error
      })
      return resultOf(answer)
    },
  }
}

const resultOf = (answer: unknown): Buffer => asBuffer(isRecord(answer) ? answer['result'] : undefined)

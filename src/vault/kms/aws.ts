// AWS KMS: Encrypt and Decrypt of a symmetric key. Credentials and signatures are the SDK's.
import { createHash } from 'node:crypto'
import { isRecord } from '../../protocol/json.ts'
import { NotUnwrapped, type WrappingKey } from '../wrapping-key.ts'
import { asBuffer, type LoadPackage, needPackage } from './optional-package.ts'

interface Aws {
  readonly KMSClient: new (options: object) => { send(command: object): Promise<unknown> }
  readonly EncryptCommand: new (input: object) => object
  readonly DecryptCommand: new (input: object) => object
}

const isAws = (module: unknown): module is Aws =>
  isRecord(module) &&
  ['KMSClient', 'EncryptCommand', 'DecryptCommand'].every((name) => typeof module[name] === 'function')

const NOT_OURS = new Set(['InvalidCiphertextException', 'IncorrectKeyException'])

export interface AwsKey {
  readonly id: string
  readonly key: string
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
}

export async function awsKey({ id, key, region, endpoint }: AwsKey, load: LoadPackage): Promise<WrappingKey> {
  const parse = (module: unknown) => (isAws(module) ? module : undefined)
  const aws = await needPackage(load, { name: '@aws-sdk/client-kms', key: id, parse })
  const client = new aws.KMSClient({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
  })
  // Written to the account's trail in clear: a digest says nothing of the person.
  const about = (context: Buffer) => ({ portcullis: createHash('sha256').update(context).digest('base64url') })
  return {
    id,
    async wrap(dataKey, context) {
      const input = { KeyId: key, Plaintext: dataKey, EncryptionContext: about(context) }
      const answer = await client.send(new aws.EncryptCommand(input))
      return asBuffer(isRecord(answer) ? answer['CiphertextBlob'] : undefined)
    },
    async unwrap(wrapped, context) {
      const input = { KeyId: key, CiphertextBlob: wrapped, EncryptionContext: about(context) }
      const answer = await client.send(new aws.DecryptCommand(input)).catch((error: unknown) => {
        throw error instanceof Error && NOT_OURS.has(error.name) ? new NotUnwrapped(error) : error
      })
      return asBuffer(isRecord(answer) ? answer['Plaintext'] : undefined)
    },
  }
}

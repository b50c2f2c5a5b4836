// A wrapping key as the configuration names it: one line a kind.
import { readFileSync } from 'node:fs'
import type { VaultKeyConfig } from '../../config/vault.ts'
import { OperatorError } from '../../protocol/errors.ts'
import { readKeyFile } from '../key-file.ts'
import type { WrappingKey } from '../wrapping-key.ts'
import { awsKey } from './aws.ts'
import { azureKey } from './azure.ts'
import { gcpKey } from './gcp.ts'
import { localKey, parseLocalKey } from './local.ts'
import type { LoadPackage } from './optional-package.ts'
import { type PostJson, transitKey } from './transit.ts'

export interface Reached {
  readonly load: LoadPackage
  readonly post: PostJson
}

export async function openWrappingKey(config: VaultKeyConfig, reached: Reached): Promise<WrappingKey> {
  switch (config.type) {
    case 'file':
      return fileKey(config)
    case 'env':
      return variableKey(config)
    case 'aws-kms':
      return awsKey(config, reached.load)
    case 'gcp-kms':
      return gcpKey(config, reached.load)
    case 'azure-key-vault':
      return azureKey(config, reached.load)
    case 'vault-transit':
      return transitKey(config, { post: reached.post, token: tokenOf(config) })
  }
}

type Of<Type> = Extract<VaultKeyConfig, { type: Type }>

function fileKey({ id, path }: Of<'file'>): WrappingKey {
  const key = readKeyFile(path)
  if (key === undefined)
    throw new OperatorError(
      `vault.keys: ${id}: there is no file ${path}. A lost key is lost with all it wraps: restore it. ` +
        `For a new key: umask 077; openssl rand -base64 32 > ${path}`,
    )
  return localKey(id, key)
}

function variableKey({ id, value }: Of<'env'>): WrappingKey {
  const secret = parseLocalKey(value)
  if (secret === undefined) throw new TypeError(`vault.keys: ${id} passed the configuration without being a key.`)
  return localKey(id, secret)
}

function tokenOf({ id, token, tokenFile }: Of<'vault-transit'>): () => string {
  if (token !== undefined) return () => token
  return () => {
    try {
      return readFileSync(tokenFile ?? '', 'utf8').trim()
    } catch (cause) {
      throw new OperatorError(`vault.keys: ${id}: tokenFile ${tokenFile} cannot be read.`, { cause })
    }
  }
}

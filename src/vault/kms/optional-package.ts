// Packages of cloud providers: not among our dependencies, loaded where a configuration names their service.
import { OperatorError } from '../../protocol/errors.ts'

const PACKAGES = {
  '@aws-sdk/client-kms': (): Promise<unknown> => import('@aws-sdk/client-kms'),
  '@azure/identity': (): Promise<unknown> => import('@azure/identity'),
  '@azure/keyvault-keys': (): Promise<unknown> => import('@azure/keyvault-keys'),
  '@google-cloud/kms': (): Promise<unknown> => import('@google-cloud/kms'),
}
export type PackageName = keyof typeof PACKAGES
export type LoadPackage = (name: PackageName) => Promise<unknown>

export const loadPackage: LoadPackage = (name) => PACKAGES[name]()

/** The package, where it is installed and has what we use of it. */
export async function needPackage<Used>(
  load: LoadPackage,
  { name, key, parse }: { name: PackageName; key: string; parse(module: unknown): Used | undefined },
): Promise<Used> {
  const used = parse(await loaded(load, name, key))
  if (used !== undefined) return used
  throw new OperatorError(
    `vault.keys: ${key}: the installed ${name} lacks what is used of it. Install its newest release.`,
  )
}

async function loaded(load: LoadPackage, name: PackageName, key: string): Promise<unknown> {
  try {
    return await load(name)
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND'
    if (!isMissing) throw cause
    throw new OperatorError(
      `vault.keys: ${key} needs the package ${name}, which is not installed. Install it beside Portcullis.`,
      { cause },
    )
  }
}

/** Bytes as the libraries answer them: an array, or base64. */
export const asBuffer = (value: unknown): Buffer => {
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (typeof value === 'string') return Buffer.from(value, 'base64')
  throw new TypeError('The key service answered without a value.')
}

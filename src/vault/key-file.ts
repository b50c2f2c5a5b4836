// A wrapping key in a file of its owner alone: read, or made where there is none yet.
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { OperatorError } from '../protocol/errors.ts'
import { LOCAL_KEY, parseLocalKey } from './kms/local.ts'

const HOW = `32 random bytes in base64, such as \`openssl rand -base64 ${LOCAL_KEY}\` prints`

/** `undefined` where there is no such file. */
export function readKeyFile(path: string): Buffer | undefined {
  const text = read(path)
  if (text === undefined) return undefined
  const key = parseLocalKey(text)
  if (key === undefined) throw new OperatorError(`${path} holds no vault key. It must be ${HOW}. It was left as it is.`)
  return key
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'ENOENT') return undefined
    throw new OperatorError(`The vault key ${path} cannot be read (${code}). Let this account read it.`, { cause })
  }
}

/** Whole or not at all, and never in place of one that is there: of two starts at once the first one's key is everybody's. */
export function makeKeyFile(path: string): void {
  try {
    make(path)
  } catch (cause) {
    throw new OperatorError(
      `The vault key ${path} cannot be made (${codeOf(cause)}). Let this account write there, or name a key in vault.keys.`,
      { cause },
    )
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error)

function make(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  writeWhole(draft, `${randomBytes(LOCAL_KEY).toString('base64')}\n`)
  try {
    linkSync(draft, path)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    unlinkSync(draft)
  }
  syncFolder(dirname(path))
}

function writeWhole(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** A name is on the disk once its folder is. Windows has no such call, and needs none. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

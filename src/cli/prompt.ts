// Asking a person for a secret: what is typed does not appear.
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { OperatorError } from '../protocol/errors.ts'

export async function askHidden(question: string): Promise<string> {
  // readline echoes through its output, so it is given one that keeps nothing.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true })
  const given = new AbortController()
  reader.on('SIGINT', () => given.abort())
  reader.on('close', () => given.abort())
  process.stderr.write(question)
  try {
    return await reader.question('', { signal: given.signal })
  } catch (cause) {
    throw new OperatorError('Nothing was given.', { exitCode: 130, cause })
  } finally {
    reader.close()
    process.stderr.write('\n')
  }
}

export async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}

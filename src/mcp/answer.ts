// Small JSON-RPC answers of our own, and how an upstream's answer is told from its other messages.
import type { ServerResponse } from 'node:http'
import { parseBoundedJson } from '../protocol/bounded-json.ts'
import { isRecord } from '../protocol/json.ts'
import { type RpcId, rpcError } from '../protocol/jsonrpc.ts'
import { RPC } from '../protocol/mcp.ts'
import { endOfValue, membersOf, pastSpace } from './json-members.ts'
import { isReadAlike } from './own-answer.ts'

/** Head and body leave in one system call: the response corks its socket while it ends. */
export function sendBytes(res: ServerResponse, status: number, headers: string[], body: Buffer): void {
  headers.push('content-type', 'application/json', 'content-length', String(body.length))
  res.writeHead(status, headers)
  res.end(body)
}

export function sendRpc(res: ServerResponse, status: number, message: object, headers: string[] = []): void {
  sendBytes(res, status, headers, Buffer.from(JSON.stringify(message)))
}

/** An upstream refuses without JSON: the status is its own, the words are ours. */
export function sendRefusal(res: ServerResponse, status: number, id: RpcId | undefined, headers: string[]): void {
  const message = 'The server behind the gate refused the request.'
  sendRpc(res, status, rpcError(id ?? null, { code: RPC.legacyServerError, message }), headers)
}

/** An upstream has taken what needs no answer. */
export function sendAccepted(res: ServerResponse, status: number, headers: string[]): void {
  const passed = status === 204 || status === 200 ? status : 202
  // RFC 9110 §8.6: none in a 204.
  if (passed !== 204) headers.push('content-length', '0')
  res.writeHead(passed, headers).end()
}

/** What a message of an upstream is to the request that waits. */
export type Answering = 'answer' | 'request' | 'notification' | 'stranger'

/** Reads one JSON message of an upstream as far as needed: the two usual layouts are told by their members' places, others are parsed. */
export function answering(text: Buffer, id: RpcId): Answering {
  const plain = text.toString('latin1')
  if (isPlainAnswer(plain, typeof id === 'number' ? String(id) : JSON.stringify(id))) return 'answer'
  const message = readJson(text)
  if (!isRecord(message) || !isSpelledOnce(plain)) return 'stranger'
  // Half call, half answer: which of them a client reads, nobody knows.
  if ('method' in message && ('result' in message || 'error' in message)) return 'stranger'
  if (typeof message['method'] === 'string') return 'id' in message ? 'request' : 'notification'
  if ('result' in message === 'error' in message) return 'stranger'
  // An error without an id is what a server sends that could not read ours.
  return message['id'] === id || (message['id'] === null && 'error' in message) ? 'answer' : 'stranger'
}

/**
 * `{"jsonrpc":"2.0","id":1,"result":…}` or `{"result":…,"jsonrpc":"2.0","id":1}`, and no other member: exact for valid JSON. An invalid text
 * is no more confusing to the client than what it would get without us.
 */
function isPlainAnswer(text: string, id: string): boolean {
  const start = `{"jsonrpc":"2.0","id":${id},`
  const isFirst = text.startsWith(start)
  const at = isFirst ? start.length : 1
  const member = MEMBERS.find((name) => text.startsWith(name, at))
  if (member === undefined) return false
  const rest = isFirst ? '}' : `,"jsonrpc":"2.0","id":${id}}`
  const end = endOfValue(text, at + member.length)
  return end + rest.length === text.length && text.startsWith(rest, end)
}

const MEMBERS = ['"result":', '"error":']

/** Of valid JSON, one character a byte. */
function isSpelledOnce(text: string): boolean {
  const seen = new Set<string>()
  for (const { key } of membersOf(text, pastSpace(text, 0)))
    if (!isReadAlike(String(JSON.parse(Buffer.from(key, 'latin1').toString())), seen)) return false
  return true
}

/** What came with a status that is no success: `wordless` where it is no JSON-RPC at all. */
export function refusing(text: Buffer, id: RpcId | undefined): 'refusal' | 'wordless' | 'stranger' {
  const message = readJson(text)
  if (!isRecord(message) || !('jsonrpc' in message || isRecord(message['error']))) return 'wordless'
  const isRefusal = 'error' in message && !('result' in message || 'method' in message)
  const { id: named = null } = message
  return isRefusal && (named === null || named === id) && isSpelledOnce(text.toString('latin1'))
    ? 'refusal'
    : 'stranger'
}

/** `undefined` for what is no JSON, or too much of it: the caller maps that to one refusal. */
export const readJson = (text: Buffer): unknown => parseBoundedJson(text.toString('utf8'))

// One GET as curl sends it: header lines as they are written, from an address of one's choice.
import { converse, type RawHeader, rawRequest } from './raw.ts'

export interface CurlAnswer {
  readonly status: number
  readonly body: Record<string, unknown>
  header(name: string): string | undefined
  /** Every line of a field that may come several times. */
  lines(name: string): string[]
}

export interface CurlOptions {
  /** Lines such as `X-Authenticated-User: john`, as often as they are given. */
  readonly headers?: readonly string[]
  /** 127.0.0.2 and its like are other machines to the gate. */
  readonly from?: string
  readonly method?: string
  readonly host?: string
}

export async function curl(port: number, target: string, options: CurlOptions = {}): Promise<CurlAnswer> {
  const { headers = [], from, method = 'GET', host = `127.0.0.1:${port}` } = options
  const lines = headers.map((line): RawHeader => {
    const at = line.indexOf(':')
    return [line.slice(0, at), line.slice(at + 1).trimStart()]
  })
  const usual: RawHeader[] = [
    ['Host', host],
    ['User-Agent', 'curl/8.5.0'],
    ['Accept', '*/*'],
  ]
  const closing: RawHeader[] = lines.some(([name]) => /^connection$/i.test(name)) ? [] : [['Connection', 'close']]
  const request = rawRequest({ method, target, headers: [...usual, ...lines, ...closing] })
  const { answers } = await converse(port, request, [method], from)
  const [answer] = answers
  if (answer === undefined) throw new Error('No answer.')
  const text = answer.body.toString()
  const body: Record<string, unknown> = text.startsWith('{') ? JSON.parse(text) : { text }
  return {
    status: answer.status,
    body,
    header: (name) => answer.header(name),
    lines: (name) => answer.headers.flatMap(([field, value]) => (field === name ? [value] : [])),
  }
}

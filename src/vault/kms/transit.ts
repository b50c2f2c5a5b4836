// HashiCorp Vault's transit engine: two calls over HTTP, no package.
import { isRecord } from '../../protocol/json.ts'
import { NotUnwrapped, type WrappingKey } from '../wrapping-key.ts'

export type PostJson = (
  url: string,
  post: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
) => Promise<{ readonly status: number; readonly body: Buffer }>

export interface TransitKey {
  readonly id: string
  readonly url: string
  readonly mount: string
  readonly key: string
  readonly namespace?: string | undefined
}

interface Needs {
  readonly post: PostJson
  /** Asked for at each call: an agent may have renewed it. */
  readonly token: () => string
}

export function transitKey({ id, url, mount, key, namespace }: TransitKey, { post, token }: Needs): WrappingKey {
  async function ask(act: 'encrypt' | 'decrypt', given: object): Promise<Record<string, unknown>> {
    const { status, body } = await post(`${url.replace(/\/+$/, '')}/v1/${mount}/${act}/${encodeURIComponent(key)}`, {
      headers: {
        'content-type': 'application/json',
        'x-vault-token': token(),
        ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
      },
      body: JSON.stringify(given),
    })
    const answer = parse(body)
    if (status === 200 && isRecord(answer['data'])) return answer['data']
    throw refusal(status, answer['errors'])
  }

  return {
    id,
    async wrap(dataKey, context) {
      const given = { plaintext: dataKey.toString('base64'), associated_data: context.toString('base64') }
      const { ciphertext } = await ask('encrypt', given)
      if (typeof ciphertext !== 'string') throw new Error('The transit engine answered without a ciphertext.')
      return Buffer.from(ciphertext)
    },
    async unwrap(wrapped, context) {
      const ciphertext = wrapped.toString()
      // What is not of its form was not wrapped here, whatever the engine would say of it.
      if (!/^vault:v\d+:[A-Za-z0-9+/=]+$/.test(ciphertext)) throw new NotUnwrapped()
      const { plaintext } = await ask('decrypt', { ciphertext, associated_data: context.toString('base64') })
      if (typeof plaintext !== 'string') throw new Error('The transit engine answered without a plaintext.')
      return Buffer.from(plaintext, 'base64')
    },
  }
}

function parse(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString())
    return isRecord(value) ? value : {}
  } catch {
    // A proxy's page: the status says enough.
    return {}
  }
}

/** Its own words, which name no secret. */
function refusal(status: number, errors: unknown): Error {
  const words = Array.isArray(errors) ? errors.filter((error) => typeof error === 'string').join('; ') : ''
  const error = new Error(`the transit engine answered ${status}${words === '' ? '' : `: ${words}`}`)
  return status === 400 && /authentication failed|invalid ciphertext/i.test(words) ? new NotUnwrapped(error) : error
}

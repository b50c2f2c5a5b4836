// Posted forms: one reading, small, whole.
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RequestError } from '../protocol/errors.ts'
import { parseForm, readForm } from './form.ts'

const TYPE = { 'content-type': 'application/x-www-form-urlencoded' }
const reasonOf = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    if (error instanceof RequestError) return error.reason
    throw error
  }
  return 'accepted'
}

describe('parseForm', () => {
  it('decodes plus, escapes and empty values', () => {
    expect([...parseForm(Buffer.from('a=1+2&b=%C3%A9&c&d='))]).toEqual([
      ['a', '1 2'],
      ['b', 'é'],
      ['c', ''],
      ['d', ''],
    ])
  })

  it.each([
    ['a field twice', 'a=1&a=2', 'form_duplicate'],
    ['a field twice, once escaped', 'a=1&%61=2', 'form_duplicate'],
    ['a broken escape', 'a=%zz', 'form_escape'],
    ['an escape that is no UTF-8', 'a=%ff', 'form_escape'],
    ['too many fields', Array.from({ length: 65 }, (_, at) => `f${at}=1`).join('&'), 'form_fields'],
  ])('refuses %s', (_, body, reason) => {
    expect(reasonOf(() => parseForm(Buffer.from(body)))).toBe(reason)
  })

  it('refuses bytes that are no UTF-8', () => {
    expect(reasonOf(() => parseForm(Buffer.from([0x61, 0x3d, 0xff])))).toBe('form_utf8')
  })

  it('keeps __proto__ as a plain name', () => {
    expect(parseForm(Buffer.from('__proto__=x')).get('__proto__')).toBe('x')
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })
})

describe('readForm', () => {
  const server = createServer((req, res) => {
    const exchange = { req, res, path: '/', query: '', id: '', address: '', viaProxy: false, at: 0 }
    readForm(exchange, 250).then(
      (form) => res.end(JSON.stringify([...form])),
      (error: unknown) => {
        if (!(error instanceof RequestError)) throw error
        res.writeHead(error.status, { connection: 'close' }).end(error.reason)
      },
    )
  })
  let url = ''
  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  const post = async (body: string, headers: Record<string, string> = TYPE) => {
    const answer = await fetch(url, { method: 'POST', body, headers })
    return [answer.status, await answer.text()]
  }

  it('reads a form, with and without a charset', async () => {
    expect(await post('a=b')).toEqual([200, '[["a","b"]]'])
    expect(await post('a=b', { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' })).toEqual([
      200,
      '[["a","b"]]',
    ])
  })

  it.each([
    ['JSON', { 'content-type': 'application/json' }, 'form_content_type'],
    ['another charset', { 'content-type': `${TYPE['content-type']}; charset=utf-7` }, 'form_content_type'],
    ['compression', { ...TYPE, 'content-encoding': 'gzip' }, 'form_encoding'],
  ])('refuses %s with 415', async (_, headers, reason) => {
    expect(await post('a=b', headers)).toEqual([415, reason])
  })

  it('takes 16 KB and refuses more, announced or not', async () => {
    expect((await post(`a=${'x'.repeat(16_000)}`))[0]).toBe(200)
    expect(await post(`a=${'x'.repeat(17_000)}`)).toEqual([413, 'form_too_large'])
    const chunked = request(url, { method: 'POST', headers: TYPE })
    chunked.write(`a=${'x'.repeat(17_000)}`)
    const [answer] = await once(chunked, 'response')
    expect(answer.statusCode).toBe(413)
    chunked.destroy()
  })

  it('refuses a body that never ends with 408', async () => {
    const slow = request(url, { method: 'POST', headers: { ...TYPE, 'content-length': '10' } })
    slow.write('a=')
    const [answer] = await once(slow, 'response')
    expect(answer.statusCode).toBe(408)
    slow.destroy()
  })
})

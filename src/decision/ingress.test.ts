import { describe, expect, it } from 'vitest'
import { RequestError } from '../protocol/errors.ts'
import { MissingField, namesOriginal, readIngress } from './ingress.ts'

type Fields = readonly (readonly [string, string])[]

/** As Node reads it: joined or dropped in `headers`, everything in `rawHeaders`. */
function headOf(fields: Fields) {
  const headers: Record<string, string> = {}
  for (const [name, value] of fields) {
    const key = name.toLowerCase()
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`
  }
  return { headers, rawHeaders: fields.flat() }
}

const read = (fields: Fields) => readIngress(headOf(fields), () => false)
const reasonOf = (fields: Fields): string => {
  try {
    read(fields)
  } catch (error) {
    if (error instanceof RequestError) return error.reason
    throw error
  }
  return 'read'
}

const TRAEFIK: Fields = [
  ['X-Forwarded-Method', 'POST'],
  ['X-Forwarded-Proto', 'https'],
  ['X-Forwarded-Host', 'app.example.com'],
  ['X-Forwarded-Uri', '/mcp?x=1'],
  ['X-Forwarded-For', '203.0.113.9'],
]
const NGINX: Fields = [
  ['X-Original-URL', 'https://app.example.com/mcp?x=1'],
  ['X-Original-Method', 'POST'],
]
const URI: Fields = [
  ['X-Original-URI', '/mcp?x=1'],
  ['X-Original-Method', 'POST'],
  ['X-Forwarded-Host', 'app.example.com'],
  ['X-Forwarded-Proto', 'https'],
]
const without = (fields: Fields, name: string) => fields.filter(([field]) => field !== name)

describe('what an ingress says', () => {
  it.each([
    ['Traefik, Caddy and HAProxy', TRAEFIK, false],
    ['nginx by URL', NGINX, true],
    ['nginx by URI', URI, true],
    ['both, alike', [...TRAEFIK, ...NGINX], true],
  ] as [string, Fields, boolean][])('is read: %s', (_kind, fields, nginx) => {
    expect(read(fields)).toEqual({
      original: { method: 'POST', scheme: 'https', host: 'app.example.com', path: '/mcp', query: 'x=1' },
      nginx,
    })
    expect(namesOriginal(headOf(fields))).toBe(true)
  })

  it.each([
    ['Traefik', TRAEFIK, 'X-Forwarded-Method'],
    ['Traefik', TRAEFIK, 'X-Forwarded-Host'],
    ['Traefik', TRAEFIK, 'X-Forwarded-Uri'],
    ['nginx', NGINX, 'X-Original-Method'],
    ['nginx', NGINX, 'X-Original-URL'],
    ['nginx', URI, 'X-Forwarded-Host'],
    ['nginx', URI, 'X-Original-Method'],
  ])('is not guessed: %s without %s', (_kind, fields, name) => {
    expect(() => read(without(fields, name))).toThrow(RequestError)
  })

  it('names the field that is missing, for the log', () => {
    expect(() => read(without(TRAEFIK, 'X-Forwarded-Method'))).toThrow(MissingField)
    expect(namesOriginal(headOf([['X-Forwarded-Host', 'app.example.com']]))).toBe(false)
  })

  it.each([
    [
      'another path in the other family',
      [...TRAEFIK, ['X-Original-URL', 'https://app.example.com/public'], ['X-Original-Method', 'POST']],
    ],
    [
      'another host',
      [...TRAEFIK, ['X-Original-URL', 'https://open.example.com/mcp?x=1'], ['X-Original-Method', 'POST']],
    ],
    [
      'another method',
      [...TRAEFIK, ['X-Original-URL', 'https://app.example.com/mcp?x=1'], ['X-Original-Method', 'GET']],
    ],
    ['the same URI beside the URL', [...NGINX, ['X-Original-URI', '/mcp?x=1']]],
    ['another URI beside the URL', [...NGINX, ['X-Original-URI', '/public']]],
    ['an end of the URL as URI', [...NGINX, ['X-Original-URI', '?x=1']]],
    ['another forwarded path beside nginx', [...NGINX, ...TRAEFIK.slice(0, 3), ['X-Forwarded-Uri', '/public']]],
  ] as [string, Fields][])('cannot be outvoted by the caller: %s', (_what, fields) => {
    expect(reasonOf(fields)).toBe('original_ambiguous')
  })

  it.each(['X_Forwarded_Uri', 'X.Forwarded.Uri', 'X-Forwarded_Host', 'x_original_url', 'X-Forwarded~Method'])(
    'comes in one spelling: %s',
    (name) => expect(reasonOf([...TRAEFIK, [name, '/public']])).toBe('original_alias'),
  )

  it.each([...TRAEFIK.slice(0, 4).map(([name]) => name), 'X-Original-URL', 'X-Original-Method'])(
    'comes once: %s',
    (name) => {
      const twice: Fields = [...TRAEFIK, ...NGINX, [name.toLowerCase(), 'GET']]
      expect(reasonOf(twice)).toBe('original_twice')
    },
  )
})

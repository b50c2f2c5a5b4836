// Every reason that the product gives has a sentence for operators, and every sentence has a reason that is given.
import { describe, expect, it } from 'vitest'
import { knownReasons, reasonSentence } from '../../src/audit/reasons.ts'
import { readSources } from './sources.ts'

const SLUG = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/
/** Their reasons are of settings, of the health page, or of a question between two processes. */
const ELSEWHERE = /^src\/(?:config|store|cli)\/|\.(?:test|support)\.ts$/

const ERRORS = /new (?:BearerError|RequestError|RpcError)\(\s*[^,'()]*(?:'[a-z_]+')?,\s*'([^']+)'/g
const FIELDS = /\breason(?:: | = )(?:[^,;'\n]*\? )?'([^']+)'(?: : '([^']+)')?/g
const MAKERS = /(?:const|function) (\w+)(?: = )?\(reason: string/g
/** Made in one file and used in others. */
const SHARED = ['refuseToken', 'certificateRefused', 'unclearCaller', 'mismatch', 'unclear', 'conflict']

const sources = readSources('src/').filter(({ path }) => !ELSEWHERE.test(path))

function reasonsIn(code: string): string[] {
  const makers = [
    ...[...code.matchAll(MAKERS)].map(([, name = '']) => name),
    ...SHARED.filter((name) => new RegExp(`import[^;]*?\\b${name}\\b`).test(code)),
  ]
  const called = makers.map((name) => new RegExp(`\\b${name}\\('([a-z_0-9]+)'`, 'g'))
  return [ERRORS, FIELDS, /\bfault\(\d+, '([a-z_]+)'/g, /\bexplicitDenial\([^,]+, '([a-z_]+)'/g, ...called]
    .flatMap((pattern) => [...code.matchAll(pattern)].flatMap(([, one, other]) => [one, other]))
    .filter((slug): slug is string => slug !== undefined && SLUG.test(slug))
}

describe('reasons', () => {
  it('are found where they are given', () => {
    expect(reasonsIn("throw new BearerError('invalid_token', 'revoked', 'No.')")).toEqual(['revoked'])
    expect(reasonsIn("const bad = (reason: string) => new X(reason)\nthrow bad('too_bad')")).toEqual(['too_bad'])
    expect(new Set(sources.flatMap(({ code }) => reasonsIn(code))).size).toBeGreaterThan(200)
  })

  it('each have a sentence', () => {
    const silent = sources.flatMap(({ path, code }) =>
      reasonsIn(code)
        .filter((slug) => reasonSentence(slug) === undefined)
        .map((slug) => `${slug} (${path})`),
    )
    expect([...new Set(silent)]).toEqual([])
  })

  it('with a sentence are all given somewhere', () => {
    const all = readSources('src/')
      .filter(({ path }) => !/audit\/reasons/.test(path))
      .map(({ code }) => code)
      .join('\n')
    expect(knownReasons().filter((slug) => !new RegExp(`['"\`]${slug}['"\`]|\\b${slug}:`).test(all))).toEqual([])
  })

  it('are sentences', () => {
    expect(knownReasons().filter((slug) => !/^[A-Z`].*\.$|^[A-Z].*\)\.?$/.test(reasonSentence(slug) ?? ''))).toEqual([])
    expect(reasonSentence('constructor')).toBeUndefined()
  })
})

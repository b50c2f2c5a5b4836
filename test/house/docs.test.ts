// The generated reference is what the schema says today, and the documentation leads nowhere that is not there.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { referencePages } from '../../src/config/docs.ts'
import { translateForwarding } from '../../src/config/foreign-forwarding.ts'
import { takeForeignKeys } from '../../src/config/foreign-keys.ts'
import { translateViews } from '../../src/config/foreign-kuadrant.ts'
import { translateProviders } from '../../src/config/foreign-providers.ts'
import { translateServers } from '../../src/config/foreign-servers.ts'
import { createInput } from '../../src/config/input.ts'
import { Config } from '../../src/config/schema.ts'
import { applySeeds } from '../../src/config/seed-settings.ts'
import { listSettings } from '../../src/config/settings.ts'
import { projectFiles, ROOT } from './sources.ts'

const pages = projectFiles().filter((path) => path.endsWith('.md') && !path.startsWith('bench/'))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** Files that a page leads to, from the project's folder. */
const linksOf = (page: string): string[] =>
  [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map((match) => join(dirname(page), match[1] ?? ''))

describe('docs/reference', () => {
  it.each(Object.entries(referencePages()))('%s is fresh (npm run docs)', (name, text) => {
    expect(read(`docs/reference/${name}`)).toBe(text)
  })

  it('has a sentence for every setting', () => {
    expect(listSettings().filter(({ description }) => description === '')).toEqual([])
  })
})

describe('the documentation', () => {
  it('is there', () => {
    expect(pages).toEqual(expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']))
  })

  it.each(pages)('%s links to files that exist', (page) => {
    expect(linksOf(page).filter((link) => !existsSync(join(ROOT, link)))).toEqual([])
  })

  it('leads to every guide, from the README on', () => {
    const reached = new Set<string>()
    const open = ['README.md']
    for (let page = open.pop(); page !== undefined; page = open.pop()) {
      if (reached.has(page)) continue
      reached.add(page)
      open.push(...linksOf(page).filter((link) => link.endsWith('.md')))
    }
    expect(pages.filter((page) => page.startsWith('docs/guides/') && !reached.has(page))).toEqual([])
  })

  it.each(pages)('%s shows configurations that the schema accepts', (page) => {
    const blocks = [...read(page).matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? '')
    const problems = blocks.flatMap((block) => {
      const input = createInput(parse(block) ?? {})
      const foreign = takeForeignKeys(input)
      const told = [
        ...foreign.problems,
        ...translateProviders(input),
        ...translateServers(input),
        ...translateForwarding(input),
        ...translateViews(input),
        ...applySeeds(foreign.given, 'seed', input).problems,
      ]
      const result = Config.safeParse(input.tree)
      const flaws = [...told.map(({ message }) => message), ...(result.success ? [] : [result.error.message])]
      return flaws.map((flaw) => `${block}\n${flaw}`)
    })
    expect(problems).toEqual([])
  })

  it.each(pages)('%s names npm scripts that exist', (page) => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const named = [...read(page).matchAll(/npm run ([a-z:]+)/g)].map((match) => match[1] ?? '')
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })
})

describe('the two ways to start it', () => {
  it('tell Node the same', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } }
    const flags = scripts.start.split(' ').filter((word) => word.startsWith('--'))
    expect(flags).not.toEqual([])
    expect(read('bin/portcullis.cjs')).toContain(`var flags = [${flags.map((flag) => `'${flag}'`).join(', ')}]`)
  })
})

// The laws of the plan: who may know whom. One test a law; the scanner itself is tested first.
import { describe, expect, it } from 'vitest'
import { parseImports, readSources, roomOf, type Source, withoutComments } from './sources.ts'

const FLOORS = [
  ['cli'],
  ['gateway'],
  ['wiring'],
  ['oauth', 'mcp', 'decision', 'admin'],
  ['identity', 'tokens', 'policy', 'upstreams', 'vault', 'audit'],
  ['store', 'http'],
  ['protocol', 'config', 'observe'],
]
const DOORS = FLOORS[3] ?? []
const DOMAIN = FLOORS[4] ?? []
// The ground may lean on itself: a configuration section uses the words of the protocol.
const GROUND = FLOORS[6] ?? []

const sources = readSources('src/')
const product = sources.filter((source) => !/\.(?:test|support)\.ts$/.test(source.path))

const floorOf = (room: string) => FLOORS.findIndex((rooms) => rooms.includes(room))

/** Every local import of the product that breaks `isLawful`, as `from → to`. */
function breaches(isLawful: (from: Source, to: string, typeOnly: boolean) => boolean): string[] {
  return product.flatMap((source) =>
    source.imports
      .filter((entry) => entry.local && !isLawful(source, entry.target, entry.typeOnly))
      .map((entry) => `${source.path} → ${entry.target}`),
  )
}

describe('the scanner', () => {
  it('sees the house, not an empty folder', () => {
    expect(sources.length).toBeGreaterThan(50)
    expect(product.flatMap((source) => source.imports).length).toBeGreaterThan(100)
  })

  it('reads every form of an import', () => {
    const code = withoutComments(
      [
        "import { a } from './a.ts'",
        "import type { B } from '../tokens/b.ts'",
        "import {\n  type C,\n  type D,\n} from './c.ts'",
        "export { e } from './e.ts'",
        "import './f.ts'",
        "// import { g } from './g.ts'",
        "const h = await import('./h.ts')",
        "import zod from 'zod'",
      ].join('\n'),
    )
    const found = parseImports('src/http/x.ts', code).map((entry) => [entry.target, entry.typeOnly])
    expect(found).toEqual([
      ['src/http/a.ts', false],
      ['src/tokens/b.ts', true],
      ['src/http/c.ts', true],
      ['src/http/e.ts', false],
      ['src/http/f.ts', false],
      ['zod', false],
      ['src/http/h.ts', false],
    ])
  })
})

describe('rooms', () => {
  it('are the rooms of the plan', () => {
    const unknown = product.filter((source) => floorOf(roomOf(source.path)) < 0).map((source) => source.path)
    expect(unknown).toEqual([])
  })

  it('import from a lower floor or from themselves', () => {
    const climbing = breaches((from, to) => {
      const [here, there] = [roomOf(from.path), roomOf(to)]
      return here === there || floorOf(there) > floorOf(here) || (GROUND.includes(here) && GROUND.includes(there))
    })
    expect(climbing).toEqual([])
  })

  it('that are doors import no other door', () => {
    const crossing = breaches((from, to) => {
      const [here, there] = [roomOf(from.path), roomOf(to)]
      return !DOORS.includes(here) || here === there || !DOORS.includes(there)
    })
    expect(crossing).toEqual([])
  })

  it('of the domain see no HTTP, no other domain room, and of the store and the configuration only types', () => {
    const knowing = breaches((from, to, typeOnly) => {
      const [here, there] = [roomOf(from.path), roomOf(to)]
      if (!DOMAIN.includes(here) || here === there || there === 'protocol' || there === 'observe') return true
      return (there === 'store' || there === 'config') && typeOnly
    })
    expect(knowing).toEqual([])
  })

  it('other than store/ name no backend, and in it only open.ts chooses', () => {
    const backends = /^src\/store\/(sqlite|postgres|redis)/
    const choosing = breaches(
      (from, to) => !backends.test(to) || backends.test(from.path) || from.path === 'src/store/open.ts',
    )
    const drivers = product
      .filter((source) => !backends.test(source.path) && !/^src\/store\/(open\.ts|migrations\/)/.test(source.path))
      .flatMap((source) =>
        source.imports
          .filter((entry) => !entry.typeOnly && ['node:sqlite', 'pg', 'ioredis'].includes(entry.target))
          .map((entry) => `${source.path} → ${entry.target}`),
      )
    expect([...choosing, ...drivers]).toEqual([])
  })

  it('are no drawers', () => {
    const drawers = sources.filter((source) => /\/(utils?|helpers?|common|shared|lib|misc)(\/|\.ts)/.test(source.path))
    expect(drawers.map((source) => source.path)).toEqual([])
  })
})

describe('files', () => {
  it('hand no names on', () => {
    const handing = product.filter(
      (source) =>
        /\/index\.ts$/.test(source.path) ||
        /^\s*export\s+(type\s+)?(\*|\{[^}]*\})\s*(as \w+ )?from\b/m.test(source.code),
    )
    expect(handing.map((source) => source.path)).toEqual([])
  })

  it('export no value that no other file takes', () => {
    const all = [...sources, ...readSources('test/'), ...readSources('bench/')]
    const isTaken = (path: string, name: string) =>
      all.some(
        ({ imports, code }) => imports.some(({ target }) => target === path) && new RegExp(`\\b${name}\\b`).test(code),
      )
    // main.mjs takes the program, and is no TypeScript.
    const exported = sources
      .filter(({ path }) => path !== 'src/cli/program.ts')
      .flatMap(({ path, code }) =>
        [...code.matchAll(/^export (?:async )?(?:function\*?|const|class) (\w+)/gm)].map(([, name = '']) => ({
          path,
          name,
        })),
      )
    expect(exported.length).toBeGreaterThan(1000)
    expect(exported.filter(({ path, name }) => !isTaken(path, name))).toEqual([])
  })

  it('import in no circle', () => {
    expect(circles(product)).toEqual([])
  })

  it('hold one noun: at most 300 lines, a test at most 500', () => {
    const limit = (path: string) => (path.endsWith('.test.ts') ? 500 : 300)
    const long = [...sources, ...readSources('test/'), ...readSources('bench/')]
      .filter((source) => !source.path.startsWith('src/config/') && !source.path.includes('generated'))
      .filter((source) => source.lines > limit(source.path))
      .map((source) => `${source.path}: ${source.lines}`)
    expect(long).toEqual([])
  })

  it('say in their first line what they are', () => {
    const silent = product.filter((source) => !/^(#!.*\n)?\/\/ \S/.test(source.text)).map((source) => source.path)
    expect(silent).toEqual([])
  })

  it('have no any and no default export', () => {
    const loose = product
      .filter((source) => /(:|<|\bas|,|=)\s*any\b(?!\w)|^export default /m.test(withoutStrings(source.code)))
      .map((source) => source.path)
    expect(loose).toEqual([])
  })
})

const withoutStrings = (code: string) =>
  code.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g, "''")

/** Circles of value imports; each is told once, by the file where the walk meets itself. */
function circles(files: readonly Source[]): string[] {
  const targets = new Map(
    files.map((file) => [
      file.path,
      file.imports.filter((entry) => entry.local && !entry.typeOnly).map((entry) => entry.target),
    ]),
  )
  const done = new Set<string>()
  const found: string[] = []
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) found.push([...trail.slice(at), path].join(' → '))
    if (at >= 0 || done.has(path)) return
    for (const target of targets.get(path) ?? []) walk(target, [...trail, path])
    done.add(path)
  }
  for (const path of targets.keys()) walk(path, [])
  return found
}

describe('the circle walk', () => {
  it('finds one', () => {
    const file = (path: string, target: string): Source => ({
      path,
      text: '',
      code: '',
      lines: 0,
      imports: [{ target, local: true, typeOnly: false }],
    })
    expect(circles([file('a', 'b'), file('b', 'a')])).toEqual(['a → b → a'])
    expect(circles([file('a', 'b'), file('b', 'c')])).toEqual([])
  })
})

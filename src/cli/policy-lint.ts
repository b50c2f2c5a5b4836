// `portcullis policy lint`: what the rules say in vain, each with its place and what to do. Ends with 1 only if that is asked for.
import { printable } from '../audit/tail.ts'
import type { LoadedConfig } from '../config/load.ts'
import { placeOf } from '../config/problems.ts'
import { lintPolicy } from '../policy/lint.ts'
import type { Finding } from '../policy/lint-finding.ts'
import { openStore } from '../store/open.ts'
import { type Common, loadFor } from './options.ts'
import { rulesOf } from './policy-replay.ts'

export interface LintOptions extends Common {
  readonly strict: boolean
  readonly seen: boolean
  readonly json: boolean
}

export async function lint({ strict, seen, json, ...options }: LintOptions): Promise<void> {
  const loaded = await loadFor(options)
  const findings = await findingsOf(loaded, seen ? await seenTools(loaded) : undefined)
  for (const { place, ...finding } of findings)
    say(json ? JSON.stringify({ place, ...finding }) : findingText(place, finding))
  if (!json)
    say(
      findings.length === 0
        ? 'Nothing is said in vain.'
        : `${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}.`,
    )
  if (strict && findings.length > 0) process.exitCode = 1
}

interface Placed extends Finding {
  readonly place: string
}

export async function findingsOf(
  { config, input }: Pick<LoadedConfig, 'config' | 'input'>,
  seen?: Seen,
): Promise<readonly Placed[]> {
  const findings = lintPolicy({ config, rules: await rulesOf(config), seen })
  return findings.map((finding) => ({ place: placeOf(input.find(finding.at)), ...finding }))
}

type Seen = ReadonlyMap<string, ReadonlySet<string>>

/** As the record of tools' definitions has them; a server whose tools are not watched is not there. */
async function seenTools({ config }: LoadedConfig): Promise<Seen> {
  const store = await openStore(config.store)
  try {
    const seen = new Map<string, Set<string>>()
    for (const { server, tool } of await store.durable.toolPins.list()) {
      const names = seen.get(server) ?? new Set<string>()
      seen.set(server, names.add(tool))
    }
    return seen
  } finally {
    await store.close()
  }
}

const findingText = (place: string, { kind, rule, message, remedy }: Finding): string =>
  `${place}  ${kind}${rule === undefined ? '' : `  ${rule}`}\n    ${message} ${remedy}`

const say = (text: string): void => void process.stdout.write(`${text.split('\n').map(printable).join('\n')}\n`)

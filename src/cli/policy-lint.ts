// `portcullis policy lint`: what the rules say in vain, each with its place and what to do. Ends with 1 only if that is asked for.
import { printable } from '../audit/tail.ts'
import type { LoadedConfig } from '../config/load.ts'
import { placeOf } from '../config/problems.ts'
import { createLog } from '../observe/log.ts'
import { lintPolicy } from '../policy/lint.ts'
import type { Finding } from '../policy/lint-finding.ts'
import type { Vault } from '../protocol/vault.ts'
import { readLiveTools } from '../wiring/live-tools.ts'
import { withVault } from '../wiring/vault.ts'
import { withStore } from './configuration.ts'
import { type Common, loadFor } from './options.ts'
import { rulesOf } from './policy-replay.ts'

export interface LintOptions extends Common {
  readonly strict: boolean
  readonly live: boolean
  readonly json: boolean
}

export async function lint({ strict, live, json, ...options }: LintOptions): Promise<void> {
  const loaded = await loadFor(options)
  const findings = await findingsOf(loaded, live ? await liveTools(loaded, options) : undefined)
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

async function findingsOf(
  { config, input }: Pick<LoadedConfig, 'config' | 'input'>,
  seen?: Seen,
): Promise<readonly Placed[]> {
  const findings = lintPolicy({ config, rules: await rulesOf(config), seen })
  return findings.map((finding) => ({ place: placeOf(input.find(finding.at)), ...finding }))
}

type Seen = ReadonlyMap<string, ReadonlySet<string>>

function liveTools({ config }: LoadedConfig, options: Common): Promise<Seen> {
  const onFailure = (server: string, reason: string) =>
    process.stderr.write(
      `${printable(`${server} did not list its tools, and rules about them are not judged: ${reason}`)}\n`,
    )
  const log = createLog({ level: config.log.level })
  // The store is opened for those that name it, and for no others.
  const vault: Pick<Vault, 'get'> = {
    get: (place) => withStore(options, ({ durable }) => withVault(config, { durable, log }, (held) => held.get(place))),
  }
  return readLiveTools(config, { vault, onFailure })
}

const findingText = (place: string, { kind, rule, message, remedy }: Finding): string =>
  `${place}  ${kind}${rule === undefined ? '' : `  ${rule}`}\n    ${message} ${remedy}`

const say = (text: string): void => void process.stdout.write(`${text.split('\n').map(printable).join('\n')}\n`)

// docs/reference/compatibility.md.
import { code, GENERATED, table } from '../markdown.ts'
import { SEEDS, type SeedSystem } from '../seed-rows.ts'
import { type Here, KINDS, type Kind, type Row } from './row.ts'
import { rowsOf } from './rows.ts'

const TITLES: Readonly<Record<Kind, string>> = {
  variable: 'Variables',
  flag: 'Flags',
  key: 'Keys',
  endpoint: 'Endpoints',
  header: 'Header fields',
  status: 'Statuses',
}

export function compatibilityPage(): string {
  const all = SEEDS.map((system) => [system, rowsOf(system)] as const)
  const rows = all.flatMap(([, found]) => found)
  const counts = SEEDS.map((system) => [system, ...countsOf(rowsOf(system)).map(String)])
  return `${GENERATED}# Variables, flags, keys, addresses and answers of other systems

${sentenceOf(rows)}

${table(['', 'rows', 'work', 'later', 'not taken over'], counts)}

Setups of five documented gateways keep their own names here. A \`PORTCULLIS_*\` variable and a flag win over them, a file does not.
Each variable also exists with \`_FILE\` at its end. Flags may be written \`-port=11000\`, \`-port 11000\` or with two dashes.
With such variables and no configuration file, Portcullis starts without servers of its own and with one rule,
\`allow */* to *\` (anyone signed in and admitted), which it prints.

A row that **works** says how, and names a test that holds it. One that comes **later** says with what, and what happens until then:
a variable, flag or key is refused or warned of by name when Portcullis starts, an address is 404, a header field is neither read nor
sent. What is **not taken over** says why.

${all.map(([system, found]) => sectionOf(system, found)).join('\n')}`
}

function countsOf(rows: readonly Row[]): [rows: number, works: number, later: number, never: number] {
  const count = (wanted: Here['status']) => rows.filter(({ here }) => here.status === wanted).length
  return [rows.length, count('works'), count('later'), count('never')]
}

function sentenceOf(rows: readonly Row[]): string {
  const [all, works, later, never] = countsOf(rows)
  return `${all} rows: ${works} work, ${later} later, ${never} not taken over.`
}

function sectionOf(system: SeedSystem, rows: readonly Row[]): string {
  const parts = KINDS.flatMap((kind) => {
    const found = rows.filter((row) => row.kind === kind)
    if (found.length === 0) return []
    const lines = found.toSorted(byStatus).map((row) => [code(row.name), row.there, hereText(row.here), code(row.test)])
    return [`### ${TITLES[kind]}\n\n${table(['there', 'what it does', 'here', 'test'], lines)}\n`]
  })
  return `## ${system}\n\n${sentenceOf(rows)}\n\n${parts.join('\n')}`
}

const ORDER: readonly Here['status'][] = ['works', 'later', 'never']
const byStatus = (one: Row, other: Row): number => ORDER.indexOf(one.here.status) - ORDER.indexOf(other.here.status)

function hereText(here: Here): string {
  switch (here.status) {
    case 'works':
      return `**works**: ${here.how}`
    case 'later':
      return `**later**, with ${here.owner}: ${here.today}`
    case 'never':
      return `**not taken over**: ${here.because}`
  }
}

// docs/reference/era-matrix.md, from what was found.
import { ALL, FEATURES, type Feature, type Findings } from './features.ts'
import { LIMITS, limitOf } from './limits.ts'

export interface Cell {
  readonly server: string
  readonly client: string
  readonly has: readonly Feature[]
  readonly can: readonly Feature[]
  readonly findings: Findings
}

const MARKS = { works: '✓', wrong: '✗', cannot: '·', 'has not': '' } as const

function markOf({ server, client, has, can, findings }: Cell, feature: Feature): string {
  if (!has.includes(feature)) return MARKS['has not']
  if (!can.includes(feature)) return MARKS.cannot
  const limit = limitOf(server, client, feature)
  if (limit !== undefined) return `${LIMITS.indexOf(limit) + 1}`
  return findings[feature] === 'works' ? MARKS.works : MARKS.wrong
}

export function matrixPage(cells: readonly Cell[]): string {
  const row = (words: readonly string[]) => `| ${words.join(' | ')} |`
  const servers = [...new Set(cells.map(({ server }) => server))]
  const tables = servers.flatMap((server) => {
    const here = cells.filter((cell) => cell.server === server)
    const offered = ALL.filter((feature) => here.some(({ has }) => has.includes(feature)))
    return [
      `## ${server}`,
      '',
      row(['client', ...offered]),
      row(['---', ...offered.map(() => '---')]),
      ...here.map((cell) => row([cell.client, ...offered.map((feature) => markOf(cell, feature))])),
      '',
    ]
  })
  return [
    '# Clients and servers',
    '',
    '<!-- Written by test/matrix/era-matrix.test.ts with PORTCULLIS_WRITE=1. -->',
    '',
    'What works through the gate, at `/servers/{id}/`: each client with each server, whichever revision of MCP they speak. Found by running all of',
    'them with `npm test test/matrix`, with tokens of people who signed in. A server’s table has the features that this server offers.',
    '',
    `${MARKS.works} works; ${MARKS.wrong} does not; ${MARKS.cannot} the client cannot do it; a number: it cannot work, see below.`,
    '',
    ...tables,
    '## What cannot work',
    '',
    ...LIMITS.map(({ why }, at) => `${at + 1}. ${why}`),
    '',
    '## The features',
    '',
    ...ALL.map((feature) => `- *${feature}*: ${FEATURES[feature]}`),
    '',
  ].join('\n')
}

// What the Inspector's command line can be asked for: one process, one request.
import { runInspector } from '../support/inspector.ts'
import type { Asks, Call, Feature } from './features.ts'

type Words = (asks: Required<Asks>) => readonly [method: string, says: string, ...args: string[]]

const pairs = (flag: string, args: Call['args'] = {}) =>
  Object.entries(args).flatMap(([name, value]) => [
    flag,
    `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ])

const WORDS: Partial<Record<Feature, Words>> = {
  tools: ({ tools }) => ['tools/list', tools],
  call: ({ call }) => ['tools/call', call.says, '--tool-name', call.name, ...pairs('--tool-arg', call.args)],
  prompts: ({ prompts }) => ['prompts/list', prompts],
  prompt: ({ prompt }) => [
    'prompts/get',
    prompt.says,
    '--prompt-name',
    prompt.name,
    ...pairs('--prompt-args', prompt.args),
  ],
  resources: ({ resources }) => ['resources/list', resources],
  read: ({ read }) => ['resources/read', read.says, '--uri', read.uri],
  templates: ({ templates }) => ['resources/templates/list', templates],
}

export const INSPECTED = Object.keys(WORDS) as Feature[]

export async function inspect(
  era: string,
  feature: Feature,
  url: string,
  { token, folder }: { readonly token: string; readonly folder: string },
  asks: Asks,
): Promise<void> {
  const [method, says, ...rest] = WORDS[feature]?.(asks as Required<Asks>) ?? ['', '']
  const header = ['--header', `Authorization: Bearer ${token}`]
  const args = ['--protocol-era', era, ...header, '--method', method, ...rest]
  const { code, result, stderr } = await runInspector({ url, folder, args })
  const said = JSON.stringify(result)
  if (code !== 0 || !said.includes(says))
    throw new Error(`${code}: ${says} is not in ${said.slice(0, 300)} ${stderr.slice(-300)}`)
}

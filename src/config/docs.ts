// The reference pages and the JSON Schema, written from the schema and the tables. Pure: `portcullis docs` puts them on disk.
import { z } from 'zod'
import { compatibilityPage } from './compatibility/page.ts'
import { OTHER_VARIABLES, variableOf } from './environment.ts'
import { laterKeys } from './later.ts'
import { code, GENERATED, table } from './markdown.ts'
import { Config } from './schema.ts'
import { listEntrySettings, listSettings, type Setting, schemasAt } from './settings.ts'

/** File name under docs/reference → content. */
export function referencePages(): Record<string, string> {
  return {
    'settings.md': settingsPage(),
    'environment.md': environmentPage(),
    'compatibility.md': compatibilityPage(),
    'portcullis.schema.json': `${JSON.stringify(jsonSchema(), undefined, 2)}\n`,
  }
}

/** draft 2020-12, of what people write: editors complete and check a `portcullis.yaml` by it. */
export function jsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(Config, {
    io: 'input',
    override: ({ jsonSchema: node }) => {
      if (node['secret'] === true) node.writeOnly = true
      delete node['secret']
      delete node['unit']
    },
  })
  return { ...schema, title: 'portcullis.yaml' }
}

function kindText({ kind, choices }: Setting): string {
  if (kind === 'choice') return choices.map(code).join(', ')
  if (kind === 'json') return 'list or map'
  return kind
}

function presetText(setting: Setting): string {
  if (setting.required) return '**required**'
  if (setting.preset === undefined) return ''
  return code(typeof setting.preset === 'string' ? setting.preset : JSON.stringify(setting.preset))
}

function settingRow(setting: Setting): string[] {
  const secret = setting.secret === true ? ' Secret.' : ''
  return [code(setting.path), kindText(setting), presetText(setting), `${setting.description}${secret}`]
}

function settingsPage(): string {
  const head = ['setting', 'kind', 'default', 'meaning']
  const sections = Object.keys(Config._zod.def.shape).map((section) => {
    const settings = listSettings().filter(({ path }) => path === section || path.startsWith(`${section}.`))
    const rows = settings.flatMap((setting) => {
      const [schema] = schemasAt(setting.path.split('.'))
      const entries = schema === undefined ? [] : listEntrySettings(schema, setting.path)
      return [setting, ...entries].map(settingRow)
    })
    return `## ${section}\n\n${table(head, rows)}\n`
  })
  return `${GENERATED}# Settings

\`portcullis.yaml\` (or \`.json\`, or \`gateway-config.json\`) holds them as a tree: \`server.listen\` is the key \`listen\` under \`server\`.
An unknown key is refused with its line. \`[]\` stands for each entry of a list, \`NAME\` for a name of your choice.

- A duration is \`500ms\`, \`30s\`, \`10m\`, \`8h\` or \`30d\`; a bare number is seconds. A size is \`512kb\` or \`1mb\`; a bare number is bytes.
- \`\${VAR}\`, \`\${VAR, default}\` and \`\${VAR:-default}\` in a text value take it from the environment; \`$\${\` is a plain \`\${\`.
- Every setting that is not inside a list has a variable: [environment.md](environment.md).
- A setting is taken from the first that gives it: flag, \`PORTCULLIS_*\` variable, variable of another system
  ([compatibility.md](compatibility.md)), file, default. Two sources of one level that differ are an error.
- \`portcullis config print\` shows the values in force and where each came from; \`portcullis config check FILE\` only judges.

${sections.join('\n')}
## Known by name, not available in this version

These keys are refused by name rather than as unknown: ${laterKeys().map(code).join(', ')}.
`
}

function environmentPage(): string {
  const variables = listSettings().map((setting) => [
    code(variableOf(setting.path)),
    code(setting.path),
    setting.kind === 'list' ? 'comma list, or JSON list' : setting.kind === 'json' ? 'JSON' : kindText(setting),
  ])
  const others = Object.entries(OTHER_VARIABLES).map(([name, meaning]) => [code(name), '', meaning])
  return `${GENERATED}# Environment variables

Each variable also exists with \`_FILE\` at its end: it then names a file whose content (without the last line end) is the value.
Setting both to different values is an error. An empty variable counts as not set; to empty a list, write \`[]\`.
An unknown variable that begins with \`PORTCULLIS_\` is refused, except the ones Kubernetes injects for a Service
(\`PORTCULLIS_PORT\`, \`PORTCULLIS_SERVICE_HOST\`, …), which are ignored.

${table(['variable', 'setting', 'value'], [...variables, ...others])}
`
}

// The forms of a page, read as a person without JavaScript sees them.

export interface Form {
  readonly action: string
  readonly method: string
  /** Fields that are sent without touching anything: hidden, preset, checked. */
  readonly fields: Readonly<Record<string, string>>
  /** Names of the fields a person types into. */
  readonly inputs: readonly string[]
  readonly buttons: readonly { readonly name: string; readonly value: string; readonly text: string }[]
}

export function parseForms(html: string): Form[] {
  return [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map((match) =>
    parseForm(match[1] ?? '', match[2] ?? ''),
  )
}

export function parseLinks(html: string): { href: string; text: string }[] {
  return [...html.matchAll(/<a\b([^>]*)>([\s\S]*?)<\/a>/gi)].map((match) => ({
    href: attribute(match[1] ?? '', 'href') ?? '',
    text: textOf(match[2] ?? ''),
  }))
}

function parseForm(head: string, body: string): Form {
  const fields: Record<string, string> = {}
  const inputs: string[] = []
  const buttons: { name: string; value: string; text: string }[] = []
  for (const match of body.matchAll(/<input\b([^>]*)>/gi)) {
    const tag = match[1] ?? ''
    const [name, type] = [attribute(tag, 'name') ?? '', (attribute(tag, 'type') ?? 'text').toLowerCase()]
    const value = attribute(tag, 'value') ?? ''
    if (type === 'submit') buttons.push({ name, value, text: value })
    else if (type === 'checkbox' || type === 'radio') {
      if (/\schecked\b/i.test(tag)) fields[name] = value || 'on'
    } else {
      if (name !== '') fields[name] = value
      if (type !== 'hidden') inputs.push(name)
    }
  }
  for (const match of body.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/gi)) {
    const tag = match[1] ?? ''
    if ((attribute(tag, 'type') ?? 'submit') !== 'submit') continue
    buttons.push({
      name: attribute(tag, 'name') ?? '',
      value: attribute(tag, 'value') ?? '',
      text: textOf(match[2] ?? ''),
    })
  }
  const method = (attribute(head, 'method') ?? 'get').toLowerCase()
  return { action: attribute(head, 'action') ?? '', method, fields, inputs, buttons }
}

function attribute(tag: string, name: string): string | undefined {
  const match = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i').exec(tag)
  const value = match?.[1] ?? match?.[2] ?? match?.[3]
  return value === undefined ? undefined : unescapeHtml(value)
}

const textOf = (html: string) =>
  unescapeHtml(
    html
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim(),
  )

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
function unescapeHtml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    return ENTITIES[String(name).toLowerCase()] ?? whole
  })
}

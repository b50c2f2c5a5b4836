// `portcullis explain`: why a request was answered as it was, from the record and the configuration of now, beside a running gate.
import type { ActEvent, CallEvent } from '../audit/event.ts'
import { reasonSentence } from '../audit/reasons.ts'
import { readEvent } from '../audit/span.ts'
import { printable } from '../audit/tail.ts'
import type { LoadedConfig } from '../config/load.ts'
import { OperatorError } from '../protocol/errors.ts'
import { withStore } from './configuration.ts'
import { type Remedy, remedyFor } from './explain-remedy.ts'
import type { Common } from './options.ts'
import { madeBy } from './policy-replay.ts'
import { findRule, type PlacedRule } from './rule-place.ts'

export interface ExplainOptions extends Common {
  readonly json: boolean
}

export interface Explanation {
  readonly event: CallEvent | ActEvent
  /** The reason in words. */
  readonly why: string
  /** The rule that decided, as it stands now. */
  readonly rule: PlacedRule | undefined
  /** The rules of now are those that decided; `undefined` where the record does not say. */
  readonly current: boolean | undefined
  readonly remedy: Remedy | undefined
}

export function explain(id: string, { json, ...options }: ExplainOptions): Promise<void> {
  return withStore(options, async ({ records }, loaded) => {
    if (!loaded.config.audit.sink.includes('store'))
      throw new OperatorError('audit.sink does not name `store`, so there is nothing to read here.')
    const found = await records.find(id.trim())
    const event = found === undefined ? undefined : readEvent(found.line)
    if (event === undefined)
      throw new OperatorError(
        `${id}: the record has no such request. The id is the X-Request-Id of the answer; what came without a credential is only counted and logged.`,
      )
    const explanation = await explanationOf(event, loaded)
    process.stdout.write(json ? `${JSON.stringify(explanation, undefined, 2)}\n` : explanationText(explanation))
  })
}

async function explanationOf(
  event: CallEvent | ActEvent,
  loaded: Pick<LoadedConfig, 'config' | 'input'>,
): Promise<Explanation> {
  const why = reasonSentence(event.reason) ?? `${event.reason} (in the words of whoever did it).`
  if (event.kind === 'act') return { event, why, rule: undefined, current: undefined, remedy: undefined }
  const made = await madeBy(loaded.config)
  return {
    event,
    why,
    rule: event.rule === undefined ? undefined : findRule(loaded, event.rule),
    current: event.policy === undefined ? undefined : event.policy === made.version,
    remedy: await remedyFor(event, loaded, made),
  }
}

function explanationText(explanation: Explanation): string {
  const { event } = explanation
  const lines = event.kind === 'act' ? actLines(event, explanation) : callLines(event, explanation)
  const width = Math.max(...lines.map(([head]) => head.length))
  return `${lines.map(([head, text]) => printable(`${head.padEnd(width)}  ${text}`.trimEnd())).join('\n')}\n`
}

type Line = readonly [head: string, text: string]

function actLines(event: ActEvent, { why }: Explanation): Line[] {
  const { id, time, act, subject, email, by, client, resource, name, family, address, decision, reason } = event
  return [
    ['Act', `${act} at ${time} (${id})`],
    [
      'Who',
      words([
        email ?? subject,
        subject !== undefined && email !== undefined && `(${subject})`,
        by && `by ${by}`,
        client && `client ${client}`,
      ]),
    ],
    ['What', words([name, resource, family && `authorization ${family}`, address && `from ${address}`])],
    ['Outcome', `${decision}: ${reason}`],
    ['', why],
  ]
}

function callLines(event: CallEvent, { why, rule, current, remedy }: Explanation): Line[] {
  const { id, time, server, via, method, name, address, era, decision, reason, status, outcome, latency } = event
  const at = via === undefined ? server : `${server}, asked for at ${via === '*' ? '/mcp' : via}`
  return [
    ['Request', `${id} at ${time}`],
    ['Who', callerText(event)],
    ['', attributesText(event)],
    ['Call', words([method, name, `of ${at}`, `from ${address}`, era && `(${era})`])],
    ['Decision', `${decision}: ${reason}`],
    ['', why],
    ...ruleLines(event, rule),
    ...(event.args === undefined ? [] : [['Read', JSON.stringify(event.args)] as const]),
    [
      'Answer',
      words([
        status && `HTTP ${status}`,
        outcome ?? 'not ended yet, or cut off',
        latency !== undefined && `${latency} ms`,
      ]),
    ],
    ...(current === false
      ? [['Beware', 'The rules have changed since: what follows is what the rules of now say.'] as const]
      : []),
    ...(remedy === undefined ? [] : remedy.lines.map((text, index): Line => [index === 0 ? remedy.head : '', text])),
  ]
}

function ruleLines({ rule: id }: CallEvent, rule: PlacedRule | undefined): Line[] {
  if (id === undefined) return []
  if (rule === undefined) return [['Rule', `${id}, which the configuration of now has not among its rules`]]
  return [
    ['Rule', `${id}, ${rule.place}`],
    ['', rule.text],
  ]
}

function callerText({ subject, email, client, auth, by, beside, family }: CallEvent): string {
  return words([
    email ?? subject,
    email !== undefined && `(${subject})`,
    client && `with client ${client}`,
    auth && `by ${auth}`,
    family && `of authorization ${family}`,
    by && `as asked by ${by}`,
    beside && `beside ${beside}`,
  ])
}

function attributesText({ attributes, subject }: CallEvent): string {
  if (attributes === undefined)
    return subject === 'anonymous' ? 'without a credential' : 'groups, roles, teams and claims of then are not recorded'
  const { partly, claims, ...lists } = attributes
  const named = Object.entries(lists).map(([kind, names]) => `${kind} ${names.join(', ')}`)
  const told = claims === undefined ? [] : [`claims ${JSON.stringify(claims)}`]
  const more = partly === undefined ? [] : [`and more ${partly.join(', ')} than were kept`]
  const all = [...named, ...told, ...more]
  return `as recorded then: ${all.length === 0 ? 'no groups, roles, teams or claims' : all.join('; ')}`
}

const words = (parts: readonly (string | number | false | undefined)[]): string =>
  parts.filter((part) => part !== undefined && part !== false && part !== '' && part !== 0).join(' ')

// One probe a feature, for the official client over whatever carries it. A probe throws with what was not as it should be.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '@modelcontextprotocol/client'
import type { AskedHost } from '../support/asked.ts'
import type { Asks, Call, Feature } from './features.ts'

export interface Host extends Pick<AskedHost, 'client' | 'asked'> {
  readonly heard: readonly { readonly method: string; readonly params?: unknown }[]
  readonly isModern: boolean
}

type Probe = (host: Host, asks: Required<Asks>) => Promise<void>

const called = ({ client }: Pick<Host, 'client'>, { name, args = {} }: Omit<Call, 'says'>, meta?: object) =>
  client.callTool({ name, arguments: args, ...(meta && { _meta: { ...meta } }) })

export const PROBES: Readonly<Record<Feature, Probe>> = {
  async tools({ client }, { tools }) {
    holds((await client.listTools()).tools, tools)
  },
  async call(host, { call }) {
    holds(await called(host, call), call.says)
  },
  async prompts({ client }, { prompts }) {
    holds((await client.listPrompts()).prompts, prompts)
  },
  async prompt({ client }, { prompt: { name, args, says } }) {
    const given = Object.fromEntries(Object.entries(args ?? {}).map(([key, value]) => [key, String(value)]))
    holds((await client.getPrompt({ name, arguments: given })).messages, says)
  },
  async resources({ client }, { resources }) {
    holds((await client.listResources()).resources, resources)
  },
  async read({ client }, { read: { uri, says } }) {
    holds((await client.readResource({ uri })).contents, says)
  },
  async templates({ client }, { templates }) {
    holds((await client.listResourceTemplates()).resourceTemplates, templates)
  },
  async completion({ client }, { completion: { prompt, argument, start, says } }) {
    const ref = { type: 'ref/prompt' as const, name: prompt }
    holds((await client.complete({ ref, argument: { name: argument, value: start } })).completion.values, says)
  },
  async pages({ client }, { pages }) {
    const uris: string[] = []
    let [cursor, requests]: [string | undefined, number] = [undefined, 0]
    do {
      const page: Awaited<ReturnType<Client['listResources']>> = await client.request({
        method: 'resources/list',
        params: cursor === undefined ? {} : { cursor },
      })
      uris.push(...page.resources.map(({ uri }) => uri))
      cursor = page.nextCursor
      requests += 1
    } while (cursor !== undefined && requests < 10)
    holds(uris, pages)
    if (requests < 2) throw new Error('There was one page.')
  },
  async progress({ client }, { progress: { name, args = {} } }) {
    const steps: number[] = []
    await client.callTool({ name, arguments: args }, { onprogress: ({ progress }) => void steps.push(progress) })
    if (steps.length < 2) throw new Error(`${steps.length} steps were heard.`)
  },
  async cancel({ client }, { cancel: { name, waits, ended } }) {
    const [nonce, stop] = [randomUUID(), new AbortController()]
    const call = client.callTool({ name, arguments: { nonce } }, { signal: stop.signal })
    const outcome = call.then(
      () => 'answered',
      () => 'given up',
    )
    await until(() => waits.has(nonce), 'The call did not reach the server.')
    stop.abort()
    holds(await outcome, 'given up')
    await until(() => ended.has(nonce), 'The server was not told.')
  },
  async logging(host, { logging }) {
    const before = host.heard.length
    if (!host.isModern) await host.client.setLoggingLevel('debug')
    await called(host, logging, host.isModern ? { 'io.modelcontextprotocol/logLevel': 'debug' } : undefined)
    await hearing(host, 'notifications/message', before)
  },
  async updated(host, { updated: { uri, after, ...trigger } }) {
    const { client, isModern } = host
    const before = host.heard.length
    const listening = isModern ? await client.listen({ resourceSubscriptions: [uri] }) : undefined
    if (!isModern) await client.subscribeResource({ uri })
    await called(host, trigger)
    await hearing(host, 'notifications/resources/updated', before)
    if (after !== undefined) await called(host, after)
    if (isModern) await listening?.close()
    else await client.unsubscribeResource({ uri })
  },
  async changed(host, { changed }) {
    const before = host.heard.length
    const listening = host.isModern ? await host.client.listen({ toolsListChanged: true }) : undefined
    await called(host, changed)
    await hearing(host, 'notifications/tools/list_changed', before)
    await listening?.close()
  },
  form: (host, { form }) => question(host, form, 'elicitation/create'),
  link: (host, { link }) => question(host, link, 'elicitation/create'),
  sampling: (host, { sampling }) => question(host, sampling, 'sampling/createMessage'),
  roots: (host, { roots }) => question(host, roots, 'roots/list', { maybeBefore: true }),
  async ping({ client }) {
    await client.ping()
  },
}

/** `maybeBefore`: a server may have asked when the client came. */
async function question(host: Host, call: Call, method: string, { maybeBefore = false } = {}): Promise<void> {
  const before = maybeBefore ? 0 : host.asked.length
  holds(await called(host, call), call.says)
  if (!host.asked.slice(before).some((each) => each.method === method)) throw new Error(`Nobody was asked ${method}.`)
}

function hearing(host: Host, method: string, from: number): Promise<void> {
  return until(() => host.heard.slice(from).some((each) => each.method === method), `${method} was not heard.`)
}

function holds(answer: unknown, says: string): void {
  if (!JSON.stringify(answer).includes(says))
    throw new Error(`${says} is not in ${JSON.stringify(answer).slice(0, 300)}`)
}

async function until(isSo: () => boolean, otherwise: string): Promise<void> {
  for (let left = 2000; !isSo(); left--) {
    if (left === 0) throw new Error(otherwise)
    await delay(10)
  }
}

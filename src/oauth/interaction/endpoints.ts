// The addresses of the pages, by exact match, and the one place where a refusal becomes a page: recorded first, then shown.

import { assetEndpoints } from '../../http/assets.ts'
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { underOwnName } from '../../http/own-name.ts'
import { sendPage } from '../../http/page.ts'
import { postGuard } from '../../http/post-guard.ts'
import { answerOf } from '../../http/responses.ts'
import { accountEndpoints } from './account.ts'
import { browserBinding } from './binding.ts'
import { FEDERATION_TTL, federationEndpoints } from './federation.ts'
import { actOf, type InteractionNeeds } from './needs.ts'
import { errorPage } from './pages/error.ts'
import { promptEndpoints } from './prompt.ts'
import { setupEndpoint } from './setup.ts'
import { localSignIn, signInView } from './sign-in.ts'

export interface InteractionEndpoints {
  match(path: string): Endpoint | undefined
}

const UID = /^[A-Za-z0-9_-]{1,128}$/

export function interactionEndpoints(needs: InteractionNeeds): InteractionEndpoints {
  const { csrfKey, serverUrl, limits, idps } = needs
  const guard = postGuard({ csrfKey: () => csrfKey(), serverUrl, bodyTimeout: limits.bodyTimeout })
  const binding = browserBinding({ serverUrl, maxAge: FEDERATION_TTL / 1000 })
  const showSignIn = signInView({ ...needs, guard })
  const prompt = promptEndpoints({ ...needs, guard, showSignIn })
  const login = localSignIn({ ...needs, guard, showSignIn })
  const federation = federationEndpoints({ ...needs, guard, binding })
  const account = accountEndpoints({ ...needs, guard })
  const fixed = new Map<string, Endpoint>([
    ['/', account.start],
    ['/logout', account.logout],
    ['/setup', setupEndpoint({ ...needs, guard })],
    ...idps.offered.map((provider) => [provider.callback, federation.callback(provider)] as const),
  ])

  function find(path: string): Endpoint | undefined {
    const known = fixed.get(path)
    if (known) return known
    const [, room, subject = '', act, id = '', ...rest] = path.split('/')
    if (room !== 'interaction' || rest.length > 0 || !UID.test(subject)) return undefined
    const provider = act === 'idp' ? idps.find(id) : undefined
    if (act === 'idp') return provider && federation.start(subject, provider)
    if (path.split('/').length > 4) return undefined
    if (act === undefined) return prompt.show(subject)
    if (act === 'allow') return prompt.allow(subject)
    if (act === 'deny') return prompt.deny(subject)
    return act === 'login' ? login(subject) : undefined
  }

  return {
    match(path) {
      const page = find(path)
      return page ? forPeople(page, needs) : assetEndpoints.get(path)
    },
  }
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'This page cannot be used any more',
  403: 'This cannot be done from here',
  405: 'This page cannot be used in this way',
  408: 'That took too long',
  429: 'Too many attempts',
  503: 'Not available at the moment',
}

/** For every endpoint that people look at, those of another door too: under the gate's own name, and with refusals that are pages. */
export function forPeople(
  endpoint: Endpoint,
  { serverUrl, recorder, log }: Pick<InteractionNeeds, 'serverUrl' | 'recorder' | 'log'>,
): Endpoint {
  const page = underOwnName(serverUrl, endpoint)
  return async (exchange) => {
    try {
      await page(exchange)
    } catch (thrown) {
      const error = await recorded(exchange, thrown, recorder)
      const { status, headers, reason, unexpected } = answerOf(error)
      if (unexpected || error !== thrown) log.error({ id: exchange.id, reason, error }, 'a page failed')
      for (const [name, value] of Object.entries(headers))
        if (!exchange.res.headersSent) exchange.res.setHeader(name, value)
      const detail = unexpected || !(error instanceof Error) ? UNEXPECTED : error.message
      sendPage(exchange, {
        status,
        html: errorPage({ title: TITLES[status] ?? 'That did not work', detail, requestId: exchange.id }),
      })
    }
  }
}

/** The refusal, once it is in the record; else what stands in the way of that, which is told instead. */
async function recorded(
  exchange: Exchange,
  error: unknown,
  recorder: Pick<InteractionNeeds['recorder'], 'act'>,
): Promise<unknown> {
  const { reason, unexpected } = answerOf(error)
  // A failure of ours: nobody was refused.
  if (unexpected) return error
  try {
    await recorder.act(actOf(exchange, { act: 'page_refused', decision: 'deny', reason }))
    return error
  } catch (failure) {
    return failure
  }
}

const UNEXPECTED =
  'Something failed on our side, and it was written down. Wait a little, then start again from your application.'

// AuthZEN Authorization API 1.0 over HTTPS (§10): services that enforce decisions themselves ask for them here. Being near is not enough to
// ask: an answer tells what other people may do, so whoever asks shows a credential, from a trusted network too.
import type { Recorder } from '../../audit/event.ts'
import { readBody } from '../../http/body.ts'
import type { Endpoint, Exchange } from '../../http/exchange.ts'
import { identify } from '../../http/identified.ts'
import { parseJson } from '../../http/json-body.ts'
import { publicDocument } from '../../http/public-document.ts'
import { answerOf, type Answer as Refusal, sendAnswer, sendJson } from '../../http/responses.ts'
import type { Credentials } from '../../identity/way.ts'
import { BearerError, RequestError } from '../../protocol/errors.ts'
import { isoTime } from '../../protocol/iso-time.ts'
import type { Principal } from '../../protocol/principal.ts'
import { DECIDE_SCOPE, DECISION_PATH, decisionResource } from '../../protocol/resource.ts'
import { type Answer, type Asker, type DecideNeeds, decider } from './decide.ts'
import { type Evaluations, parseEvaluation, parseEvaluations, type Semantic } from './evaluation.ts'

export interface AuthZenNeeds extends DecideNeeds {
  readonly serverUrl: string
  readCredentials(exchange: Exchange): Credentials
  /** Our own tokens and API tokens; throws BearerError. */
  authenticate(credentials: Credentials): Principal | Promise<Principal>
  isAdministrator(subject: string): Promise<boolean>
  nextId(now: number): string
  readonly limits: { readonly body: number; readonly bodyTimeout: number }
  readonly recorder: Pick<Recorder, 'record' | 'act'>
  onRefusal(exchange: Exchange, answer: Refusal, error: unknown): void
}

const CONFIGURATION_PATH = '/.well-known/authzen-configuration'

export function authZen(needs: AuthZenNeeds): (path: string) => Endpoint | undefined {
  const { serverUrl, limits, recorder } = needs
  const answer = decider(needs)
  const configuration = {
    policy_decision_point: serverUrl,
    access_evaluation_endpoint: `${serverUrl}${DECISION_PATH}/evaluation`,
    access_evaluations_endpoint: `${serverUrl}${DECISION_PATH}/evaluations`,
  }
  const resource = decisionResource(serverUrl)
  const endpoints = new Map<string, Endpoint>([
    [CONFIGURATION_PATH, publicDocument(() => configuration)],
    [`${DECISION_PATH}/evaluation`, asked((exchange, body, asker) => one(exchange.id, body, asker))],
    [`${DECISION_PATH}/evaluations`, asked(many)],
  ])
  return (path) => endpoints.get(path)

  function asked(evaluate: (exchange: Exchange, body: unknown, asker: Asker) => Promise<object>): Endpoint {
    return async (exchange) => {
      echoRequestId(exchange)
      try {
        checkMethod(exchange)
        const asker = await findAsker(exchange)
        const body = await readJson(exchange)
        sendJson(exchange.res, 200, await evaluate(exchange, body, asker), { 'Cache-Control': 'no-store' })
      } catch (error) {
        await refuse(exchange, error)
      }
    }
  }

  async function findAsker(exchange: Exchange): Promise<Asker> {
    const principal = await needs.authenticate(needs.readCredentials(exchange))
    if (!principal.scopes.includes(DECIDE_SCOPE))
      throw new BearerError('insufficient_scope', 'scope_missing', 'The access token lacks a scope that this needs.', [
        DECIDE_SCOPE,
      ])
    // Only administrators make tokens of services; anybody may allow a client a scope in their own name.
    if (principal.kind !== 'service' && !(await needs.isAdministrator(principal.subject)))
      throw new RequestError(403, 'administrators_only', 'This account may not ask for decisions about others.')
    return { principal, address: exchange.address, at: exchange.at }
  }

  async function readJson(exchange: Exchange): Promise<unknown> {
    const { headers } = exchange.req
    if (!/^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i.test(headers['content-type'] ?? ''))
      throw new RequestError(400, 'media_type', 'Send application/json.', { close: true })
    return parseJson(headers, await readBody(exchange, limits.body, limits.bodyTimeout))
  }

  function one(id: string, body: unknown, asker: Asker): Promise<Answer> {
    const evaluation = parseEvaluation(body)
    return answer(id, () => evaluation, asker)
  }

  async function many(exchange: Exchange, body: unknown, asker: Asker): Promise<object> {
    const evaluations = parseEvaluations(body)
    return evaluations === undefined ? one(exchange.id, body, asker) : { evaluations: await all(evaluations, asker) }
  }

  async function all({ each, semantic }: Evaluations, asker: Asker): Promise<readonly Answer[]> {
    const ask = (read: Evaluations['each'][number]) => answer(needs.nextId(asker.at), read, asker)
    if (semantic === 'execute_all') return Promise.all(each.map(ask))
    const answers: Answer[] = []
    for (const read of each) {
      const next = await ask(read)
      answers.push(next)
      if (next.decision === LAST[semantic]) break
    }
    return answers
  }

  async function refuse(exchange: Exchange, error: unknown): Promise<void> {
    const refusal = answerOf(error, { resource })
    needs.onRefusal(exchange, refusal, error)
    if (isAttempt(error)) {
      const { id, at, address } = exchange
      const what = { act: 'decision_asked', decision: 'deny', reason: refusal.reason } as const
      await recorder.act({ kind: 'act', id, time: isoTime(at), ...what, resource: resource.url, address })
    }
    // §10.1.10: the body of an error is its message.
    sendAnswer(exchange, { ...refusal, body: error instanceof Error && !refusal.unexpected ? error.message : MESSAGE })
  }
}

const MESSAGE = 'Something went wrong here. The request id names it in the log.'

/** §7.1.2.1: the decision behind which nothing is evaluated any more. */
const LAST: Readonly<Record<Exclude<Semantic, 'execute_all'>, boolean>> = {
  deny_on_first_deny: false,
  permit_on_first_permit: true,
}

/** §10.1.11: the caller's own name for the request comes back. Ours is in the context of every decision. */
function echoRequestId({ req, res }: Exchange): void {
  const given = req.headers['x-request-id']
  if (typeof given === 'string' && /^[\x20-\x7e]{1,256}$/.test(given)) identify(res, given)
}

function checkMethod({ req, res }: Exchange): void {
  if (req.method === 'POST') return
  res.setHeader('Allow', 'POST')
  throw new RequestError(405, 'method_not_allowed', 'This address is for POST only.')
}

/** A first contact only asks the way (RFC 6750 §3.1). */
function isAttempt(error: unknown): boolean {
  if (error instanceof BearerError) return error.code !== undefined
  return error instanceof RequestError && error.status === 403
}

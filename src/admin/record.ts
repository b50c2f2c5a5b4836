// What is done at the administration, and what was refused there: recorded and committed before it is answered.
import type { ActEvent, Recorder } from '../audit/event.ts'
import type { Exchange } from '../http/exchange.ts'
import { requestIds } from '../http/request-id.ts'
import { answerOf } from '../http/responses.ts'
import { ADMIN_PATH } from '../protocol/resource.ts'
import { type ApiTokenAct, aboutToken } from '../tokens/api-token-life.ts'
import type { Caller } from './caller.ts'

export interface ActsNeeds {
  readonly recorder: Pick<Recorder, 'act'>
}

export interface AdminActs {
  record(exchange: Exchange, caller: Caller, act: ApiTokenAct): Promise<void>
  /** Resolves to the refusal once it is committed, else to what stands in the way of that: it is told instead. */
  recordRefusal(exchange: Exchange, caller: Caller | undefined, refusal: unknown): Promise<unknown>
}

export function adminActs({ recorder }: ActsNeeds): AdminActs {
  const nextId = requestIds()
  const acted = new WeakSet<Exchange>()

  /** A record's id is its key: the first act of a request has the request's own, so that explain finds it. */
  function idOf(exchange: Exchange): string {
    if (acted.has(exchange)) return nextId(exchange.at)
    acted.add(exchange)
    return exchange.id
  }

  const record = (exchange: Exchange, act: Omit<ActEvent, 'kind' | 'id' | 'time' | 'address'>): Promise<void> =>
    recorder.act({
      kind: 'act',
      id: idOf(exchange),
      time: new Date(exchange.at).toISOString(),
      address: exchange.address,
      ...act,
    })

  return {
    record: (exchange, caller, { act, reason, token }) =>
      record(exchange, {
        act,
        decision: 'allow',
        reason,
        ...aboutToken(token),
        ...(caller.id === token.owner ? {} : { by: caller.id }),
      }),
    async recordRefusal(exchange, caller, refusal) {
      const { reason } = answerOf(refusal)
      const act = exchange.path.startsWith(`${ADMIN_PATH}/tokens`) ? 'token_refused' : 'admin_refused'
      const about = caller === undefined ? {} : { subject: caller.id }
      try {
        await record(exchange, { act, decision: 'deny', reason, resource: exchange.path, ...about })
        return refusal
      } catch (failure) {
        return failure
      }
    },
  }
}

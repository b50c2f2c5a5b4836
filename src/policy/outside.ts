// Decision points outside: other systems that a rule asks. Only a yes that came in time is a yes. An answer counts for a short while, a
// question is asked once at a time, and a point that keeps failing is left alone for some seconds, so that no call waits for it in vain.
import { createHash } from 'node:crypto'
import type { DecisionPointConfig, DecisionPointsConfig } from '../config/decision-points.ts'
import type { Clock } from '../protocol/clock.ts'
import type { Call } from '../protocol/decision.ts'
import type { AskOutside } from './consult.ts'
import { DIALECTS } from './outside-question.ts'

/** One request, without redirects, bounded in size and by the point's time; handed in, since this room has no HTTP of its own. */
export type PostQuestion = (
  url: string,
  post: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
) => Promise<{ readonly status: number; readonly body: Buffer }>

export interface OutsideNeeds {
  readonly points: DecisionPointsConfig
  postTo(point: DecisionPointConfig): PostQuestion
  readonly clock: Clock
  /** `answer` is `yes`, `no`, or why there was none. */
  onAnswer(point: string, answer: string, error?: unknown): void
}

/** What each point may make us remember, and ask at once. */
const MOST_KEPT = 10_000
const MOST_ASKED = 512

/** So many failures one after another, and it is left alone for this long; then one question tries it. */
const FAILURES = 5
const PAUSE = 5000

/** These speak of the question, which callers help to write: what one of them asks must not close the point for all others. */
const ABOUT_THE_QUESTION: ReadonlySet<string> = new Set(['status_400', 'status_413', 'status_414', 'status_422'])

class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
  readonly reason: string

  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

export function createAskOutside(needs: OutsideNeeds): AskOutside {
  const asks = new Map(
    Object.entries(needs.points).map(([name, config]) => [name, cached(config, needs, careful(name, config, needs))]),
  )
  return async (point, call) => {
    const ask = asks.get(point)
    return ask === undefined ? false : ask(call)
  }
}

type Ask = (body: string) => Promise<boolean | undefined>

/** Answers are kept, failures never. */
function cached(
  { type, cache }: DecisionPointConfig,
  { clock }: OutsideNeeds,
  ask: Ask,
): (call: Call) => Promise<boolean> {
  const kept = new Map<string, { readonly answer: boolean; readonly until: number; readonly from: number }>()
  const asking = new Map<string, Promise<boolean>>()
  const { question } = DIALECTS[type]

  function find(key: string): boolean | undefined {
    const known = kept.get(key)
    const now = clock()
    // Kept later than now: the clock was set back.
    return known !== undefined && now < known.until && now >= known.from ? known.answer : undefined
  }

  function keep(key: string, answer: boolean): void {
    if (cache === 0) return
    kept.delete(key)
    if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value ?? '')
    const from = clock()
    kept.set(key, { answer, from, until: from + cache })
  }

  async function fresh(key: string, body: string): Promise<boolean> {
    const answer = await ask(body)
    if (answer !== undefined) keep(key, answer)
    return answer === true
  }

  return async (call) => {
    const { key: facts, body } = question(call)
    const key = createHash('sha256').update(facts).digest('base64')
    const known = find(key)
    if (known !== undefined) return known
    const running = asking.get(key) ?? fresh(key, body).finally(() => asking.delete(key))
    asking.set(key, running)
    return running
  }
}

/** Asks, and leaves alone what does not answer. `undefined`: no answer. */
function careful(name: string, config: DecisionPointConfig, needs: OutsideNeeds): Ask {
  const { clock, onAnswer } = needs
  const post = needs.postTo(config)
  let underWay = 0
  let failures = 0
  let pausedAt: number | undefined

  /** After the pause one question goes through, and the others wait for what becomes of it: for them it is a no. */
  function isPaused(now: number): boolean {
    if (pausedAt === undefined) return false
    if (now - pausedAt < PAUSE && now >= pausedAt) return true
    pausedAt = now
    return false
  }

  function failed(error: unknown): undefined {
    const reason = reasonOf(error)
    if (!ABOUT_THE_QUESTION.has(reason)) failures += 1
    if (failures >= FAILURES) pausedAt = clock()
    onAnswer(name, reason, error)
    return undefined
  }

  return async (body) => {
    if (isPaused(clock())) {
      onAnswer(name, 'paused')
      return undefined
    }
    if (underWay >= MOST_ASKED) {
      onAnswer(name, 'too_many_questions')
      return undefined
    }
    underWay += 1
    try {
      const answer = await exchange(config, post, body)
      failures = 0
      pausedAt = undefined
      onAnswer(name, answer ? 'yes' : 'no')
      return answer
    } catch (error) {
      return failed(error)
    } finally {
      underWay -= 1
    }
  }
}

async function exchange(
  { type, url, headers }: DecisionPointConfig,
  post: PostQuestion,
  body: string,
): Promise<boolean> {
  const answer = await post(url, { headers: { 'content-type': 'application/json', ...headers }, body })
  if (answer.status !== 200) throw new NoAnswer(`status_${answer.status}`, `It answers ${answer.status}.`)
  const read = DIALECTS[type].read(parse(answer.body))
  if (read === undefined)
    throw new NoAnswer(
      'no_decision',
      `It answers no ${type === 'opa' ? '`result`' : '`decision`'} that is true or false.`,
    )
  return read
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new NoAnswer('not_json', 'It answers no JSON.')
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'reason' in error && typeof error.reason === 'string' ? error.reason : 'failed'
}

// `/connections`: a person's own accounts at the servers behind the gate, and the way to give one back.
import type { Endpoint } from '../../http/exchange.ts'
import type { FormCookie } from '../../http/form-cookie.ts'
import { checkMethod } from '../../http/method.ts'
import { sendPage, sendSeeOther } from '../../http/page.ts'
import type { PostGuard } from '../../http/post-guard.ts'
import type { Connections } from '../../protocol/connections.ts'
import type { Principal } from '../../protocol/principal.ts'
import { CONNECTIONS_PATH } from '../../protocol/sign-in-client.ts'
import { type About, listPage } from './pages.ts'
import type { Visitor, Visitors } from './visitor.ts'

interface Needs {
  readonly connections: Connections
  readonly visitors: Visitors
  readonly guard: PostGuard
  readonly cookie: FormCookie
  about(visitor: Visitor): About
  sees(principal: Principal, server: string): boolean
  onChanged(subjects: readonly string[], server: string): Promise<void>
}

export function listEndpoints({ connections, visitors, guard, cookie, about, sees, onChanged }: Needs) {
  const bindingOf = ({ principal }: Visitor, browser: string): string => `disconnect\n${principal.subject}\n${browser}`

  const list: Endpoint = async (exchange) => {
    checkMethod(exchange, 'GET', 'HEAD')
    const visitor = await visitors.enter(exchange)
    if (visitor === undefined) return
    const { principal } = visitor
    const held = new Map((await connections.list(principal.subject)).map((one) => [one.server, one]))
    const csrf = guard.token(bindingOf(visitor, cookie.bind(exchange)))
    const connectable = connections.connectable()
    const rows = connectable
      .filter(({ server }) => held.has(server) || sees(principal, server))
      .map((server) => ({ server, connection: held.get(server.server), csrf, gone: false }))
    const gone = [...held.values()]
      .filter(({ server }) => !connectable.some((one) => one.server === server))
      .map((connection) => ({ server: { ...connection, title: connection.server }, connection, csrf, gone: true }))
    sendPage(exchange, { status: 200, html: listPage(about(visitor), [...rows, ...gone]), formAction: ["'self'"] })
  }

  const disconnect: Endpoint = async (exchange) => {
    checkMethod(exchange, 'POST')
    const visitor = await visitors.known(exchange)
    const form = await guard.read(exchange, bindingOf(visitor, cookie.held(exchange)))
    const { subject } = visitor.principal
    const server = form.get('server') ?? ''
    // Gone already: what was asked for is so.
    if (await connections.disconnect(subject, server)) await onChanged(visitor.subjects, server)
    sendSeeOther(exchange, CONNECTIONS_PATH)
  }

  return { list, disconnect }
}

// Tasks are closed at the gate, in both eras and for every principal.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Door, modern, modernHeaders, openDoor, rpc } from './endpoint.support.ts'
import { withoutTasks } from './tasks.ts'

let door: Door
beforeEach(async () => {
  door = await openDoor()
  door.answerAll()
})
afterEach(() => door.close())

describe('tasks', () => {
  it.each(['tasks/list', 'tasks/get', 'tasks/result', 'tasks/cancel', 'tasks/update', 'tasks/new'])(
    '%s answers as an unknown method does',
    async (method) => {
      const answer = await door.post({ jsonrpc: '2.0', id: 1, method, params: { taskId: 't' } })
      expect([answer.status, (await rpc(answer)).error]).toEqual([200, { code: -32601, message: 'Method not found' }])
      const headers = modernHeaders(method, 't')
      const later = await door.post(modern(method, { taskId: 't' }), headers)
      expect([later.status, (await rpc(later)).error]).toEqual([404, { code: -32601, message: 'Method not found' }])
      expect(door.canary.seen).toEqual([])
      expect(door.gate.events[0]).toMatchObject({ decision: 'deny', reason: 'tasks_closed', method })
    },
  )

  it('are not begun or listened to', async () => {
    const run = (params: object) => door.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
    for (const params of [
      { name: 'read', task: { ttl: 1 } },
      { name: 'read', task: null },
    ])
      expect((await rpc(await run(params))).error.code).toBe(-32602)
    expect((await rpc(await run({ name: 'read', Task: {} }))).error).toBeDefined()
    const listen = modern('subscriptions/listen', { notifications: { taskIds: ['t'] } })
    expect((await rpc(await door.post(listen, modernHeaders('subscriptions/listen')))).error.code).toBe(-32602)
    expect(door.canary.seen).toEqual([])
    expect((await rpc(await run({ name: 'read', arguments: { task: 1 } }))).result).toEqual({ ok: true })
  })

  it('are not offered', async () => {
    const capabilities = {
      tools: {},
      tasks: { list: {} },
      extensions: { 'io.modelcontextprotocol/tasks': {}, 'io.modelcontextprotocol/ui': {} },
    }
    door.answerAll({ capabilities, instructions: 'Hello' })
    const left = {
      capabilities: { tools: {}, extensions: { 'io.modelcontextprotocol/ui': {} } },
      instructions: 'Hello',
    }
    const opened = await door.post({ jsonrpc: '2.0', id: 1, method: 'initialize', params: {} })
    expect((await rpc(opened)).result).toEqual(left)
    const found = await door.post(modern('server/discover'), modernHeaders('server/discover'))
    expect((await rpc(found)).result).toEqual(left)
  })

  it('are looked for in those two answers only, which pass as they are when there is nothing to take out', () => {
    expect(withoutTasks('tools/call')).toBeUndefined()
    const edit = withoutTasks('initialize')
    for (const message of [undefined, {}, { error: {} }, { result: { capabilities: { tools: {}, extensions: {} } } }])
      expect(edit?.(message)).toBeUndefined()
  })
})

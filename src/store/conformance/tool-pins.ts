// Promises of tool definitions: what was approved stays what it was, whatever a server shows later.
import { describe, expect, it } from 'vitest'
import type { SeenTool } from '../tool-pins.ts'
import { fresh, NOW, type Pair } from './pair.ts'

const shown = (name: string, digest: string): SeenTool => ({ name, digest, text: `{"name":"${name}"}` })
const auto = { pinNew: true, at: NOW }
const strict = { pinNew: false, at: NOW }

export function toolPinPromises(pair: () => Pair): void {
  describe('tool definitions', () => {
    it('approves what a server shows first, and told of it once', async () => {
      const { one, two } = pair()
      const server = fresh('server')
      const tools = [shown('a', 'a1'), shown('b', 'b1')]
      const first = await one.durable.toolPins.saw(server, tools, strict)
      expect(first.map(({ tool, pinned, seen }) => [tool, pinned, seen])).toEqual([
        ['a', 'a1', 'a1'],
        ['b', 'b1', 'b1'],
      ])
      expect(await two.durable.toolPins.saw(server, tools, strict)).toEqual([])
    })

    it('does not approve by itself what comes later, unless it is told to', async () => {
      const { toolPins } = pair().one.durable
      const server = fresh('server')
      await toolPins.saw(server, [shown('a', 'a1')], strict)
      const [later] = await toolPins.saw(server, [shown('a', 'a1'), shown('c', 'c1')], strict)
      expect(later).toMatchObject({ tool: 'c', pinned: undefined, seen: 'c1' })
      const [told] = await toolPins.saw(server, [shown('d', 'd1')], auto)
      expect(told).toMatchObject({ tool: 'd', pinned: 'd1' })
    })

    it('keeps what was approved when another definition is seen, and knows it again', async () => {
      const { one, two } = pair()
      const server = fresh('server')
      await one.durable.toolPins.saw(server, [shown('a', 'a1')], strict)
      const [changed] = await one.durable.toolPins.saw(server, [shown('a', 'a2')], auto)
      expect(changed).toMatchObject({ pinned: 'a1', seen: 'a2' })
      expect(await two.durable.toolPins.find(server, 'a')).toMatchObject({ pinned: 'a1', pinnedText: '{"name":"a"}' })
      const [back] = await two.durable.toolPins.saw(server, [shown('a', 'a1')], strict)
      expect(back).toMatchObject({ pinned: 'a1', seen: 'a1' })
    })

    it('approves the definition that was looked at, and no other', async () => {
      const { toolPins } = pair().one.durable
      const server = fresh('server')
      await toolPins.saw(server, [shown('a', 'a1')], strict)
      await toolPins.saw(server, [shown('a', 'a2')], strict)
      expect(await toolPins.approve(server, 'a', 'a1')).toBe(false)
      expect(await toolPins.approve(server, 'z', 'a2')).toBe(false)
      expect(await toolPins.approve(server, 'a', 'a2')).toBe(true)
      expect(await toolPins.find(server, 'a')).toMatchObject({ pinned: 'a2', seen: 'a2' })
      expect(await toolPins.find(server, 'z')).toBeUndefined()
    })

    it('tells one of twenty who see the same change at once, and counts every change', async () => {
      const { one, race } = pair()
      const server = fresh('server')
      const before = await one.durable.toolPins.epoch()
      await one.durable.toolPins.saw(server, [shown('a', 'a1')], strict)
      const told = await race(20, ({ durable }) => durable.toolPins.saw(server, [shown('a', 'a2')], strict))
      expect(told.flat()).toHaveLength(1)
      expect(await one.durable.toolPins.epoch()).toBeGreaterThan(before)
      const mine = (await one.durable.toolPins.list()).filter((entry) => entry.server === server)
      expect(mine).toEqual([{ server, tool: 'a', pinned: 'a1', seen: 'a2', seenAt: NOW }])
    })
  })
}

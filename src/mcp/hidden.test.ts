import { describe, expect, it } from 'vitest'
import { hiddenError, unknownInOurWords } from './hidden.ts'

const tool = { kind: 'tool', name: 'delete_all' } as const
const ours = (era: 'modern' | 'legacy' = 'legacy') => {
  const { code, message } = hiddenError(tool, era, 'x')
  return { jsonrpc: '2.0', id: 7, error: { code, message } }
}
const failed = (text: string) => ({
  jsonrpc: '2.0',
  id: 7,
  result: { isError: true, content: [{ type: 'text', text }] },
})
const refused = (message: string, code = -32602) => ({ jsonrpc: '2.0', id: 7, error: { code, message } })

describe('hidden and unknown answer alike', () => {
  const reword = unknownInOurWords({ target: tool, era: 'legacy', id: 7 })
  it.each([
    refused('Tool delete_all not found'),
    refused('Unknown tool: delete_all'),
    refused('MCP error -32602: Tool delete_all not found'),
    refused("Tool 'delete_all' does not exist", -32601),
    failed('MCP error -32602: Tool delete_all not found'),
    failed('Unknown tool: delete_all'),
  ])('%j', (answer) => {
    expect(reword(answer)).toEqual(ours())
  })
  it.each([
    refused('File delete_all not found'),
    refused('Invalid arguments for tool delete_all: path is required'),
    failed('No such file or directory'),
    failed('Tool delete_all not found, but close: delete_one'),
    { jsonrpc: '2.0', id: 7, result: { content: [{ type: 'text', text: 'Unknown tool: delete_all' }] } },
    {
      jsonrpc: '2.0',
      id: 7,
      result: {
        isError: true,
        content: [
          { type: 'text', text: 'Unknown tool' },
          { type: 'text', text: 'x' },
        ],
      },
    },
    'text',
    null,
  ])('passes what says something else: %j', (answer) => {
    expect(reword(answer)).toBeUndefined()
  })
})

// Fields that repeat arguments: they must say what the body says, where it is known which argument they repeat. Catalogue row E7.
import { describe, expect, it } from 'vitest'
import { RpcError } from '../protocol/errors.ts'
import { readHead } from './headers.ts'
import { checkParamHeaders } from './param-headers.ts'

const TOOL = {
  name: 'find',
  inputSchema: {
    type: 'object',
    properties: {
      tenant: { type: 'string', 'x-mcp-header': 'Tenant' },
      page: { type: 'integer', 'x-mcp-header': 'Page' },
      where: { type: 'object', properties: { exact: { type: 'boolean', 'x-mcp-header': 'Exact' } } },
      free: { type: 'string' },
    },
  },
}
const ARGS = { tenant: 'blue', page: 3, where: { exact: true }, free: 'x' }

async function reasonOf(fields: readonly string[], args: unknown = ARGS, tool: object | undefined = TOOL) {
  const known = async (server: string, name: string) =>
    server === 'crm' && name === 'find' ? (tool as Record<string, unknown>) : undefined
  const said = { head: readHead(fields), server: 'crm', target: { kind: 'tool', name: 'find' } as const }
  try {
    await checkParamHeaders(known, { ...said, params: { name: 'find', arguments: args } })
  } catch (error) {
    expect(error).toMatchObject({ code: -32020, status: 400 })
    return error instanceof RpcError ? error.reason : undefined
  }
  return 'passes'
}

describe('Mcp-Param-* fields', () => {
  it.each([
    [['Mcp-Param-Tenant', 'blue', 'mcp-param-page', '3', 'MCP-PARAM-EXACT', 'true']],
    [['Mcp-Param-Tenant', '=?base64?Ymx1ZQ==?=']],
    [['Mcp-Param-Nobody-Knows', 'red']],
    [['Mcp-Param-Free', 'y']],
    [[]],
  ])('may say what the body says, and what nobody can judge: %j', async (fields) =>
    expect(await reasonOf(fields)).toBe('passes'),
  )

  it.each([
    [['Mcp-Param-Tenant', 'red'], ARGS],
    [['mcp-param-tenant', 'Blue'], ARGS],
    [['Mcp-Param-Tenant', '=?base64?cmVk?='], ARGS],
    [['Mcp-Param-Tenant', '=?base64?broken'], { ...ARGS, tenant: 'broken' }],
    [['Mcp-Param-Page', '4'], ARGS],
    [['Mcp-Param-Exact', 'false'], ARGS],
    [['Mcp-Param-Tenant', 'blue'], {}],
    [['Mcp-Param-Tenant', 'blue'], null],
    [['Mcp-Param-Tenant', '=?base64?broken'], {}],
    [['Mcp-Param-Tenant', 'undefined'], {}],
    [['Mcp-Param-Exact', 'true'], { where: 'x' }],
  ])('may not say anything else: %j', async (fields, args) =>
    expect(await reasonOf(fields, args)).toBe('param_mismatch'),
  )

  it('are plain text where the mark of an encoded value has no end', async () => {
    const field = ['Mcp-Param-Tenant', '=?base64?Ymx1ZQ==']
    expect(await reasonOf(field, { ...ARGS, tenant: '=?base64?Ymx1ZQ==' })).toBe('passes')
    expect(await reasonOf(field, { ...ARGS, tenant: 'blue' })).toBe('param_mismatch')
  })

  it('are nobody’s to judge where the tool is not known', async () => {
    expect(await reasonOf(['Mcp-Param-Tenant', 'red'], ARGS, {})).toBe('passes')
  })

  it('cost nothing where there are none', () => {
    const said = { head: readHead([]), server: 'crm', target: { kind: 'tool', name: 'find' } as const, params: {} }
    expect(checkParamHeaders(() => TOOL, said)).toBeUndefined()
  })
})

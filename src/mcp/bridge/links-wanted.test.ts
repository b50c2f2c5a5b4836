import { expect, it } from 'vitest'
import { type RpcRequest, rpcError } from '../../protocol/jsonrpc.ts'
import { linksWanted } from './links-wanted.ts'

const CALL: RpcRequest = { jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name: 'x' } }
const ABLE = { elicitation: { url: {} } }
const LINK = { mode: 'url', url: 'https://example.com/consent', message: 'Look there.', elicitationId: 'e1' }
const wanting = (elicitations: unknown, code = -32042) =>
  rpcError(3, { code, message: 'Follow the links.', data: { elicitations } })

it('becomes what the client must do first', () => {
  const other = { ...LINK, url: 'https://example.com/other' }
  expect(linksWanted(wanting([LINK, other]), CALL, ABLE)).toEqual({
    jsonrpc: '2.0',
    id: 3,
    result: {
      resultType: 'input_required',
      inputRequests: {
        link1: { method: 'elicitation/create', params: LINK },
        link2: { method: 'elicitation/create', params: other },
      },
    },
  })
  const again = { ...CALL, params: { ...CALL.params, inputResponses: { link1: { action: 'accept' } } } }
  expect(linksWanted(wanting([LINK]), again, ABLE)).toBeDefined()
})

it.each([
  ['another error', wanting([LINK], -32000), ABLE],
  ['no list', wanting(undefined), ABLE],
  ['an empty list', wanting([]), ABLE],
  ['too many', wanting(Array.from({ length: 17 }, () => LINK)), ABLE],
  ['what is no link', wanting(['https://example.com']), ABLE],
  ['a link that nobody should follow', wanting([LINK, { ...LINK, url: 'http://example.com' }]), ABLE],
  ['a client that is shown none', wanting([LINK]), { elicitation: { form: {} } }],
])('stays an error with %s', (_, response, declared) => {
  expect(linksWanted(response, CALL, declared)).toBeUndefined()
})

it('stays an error where the client cannot be told so', () => {
  const other = { ...CALL, method: 'completion/complete' }
  expect(linksWanted(wanting([LINK]), other, ABLE)).toBeUndefined()
})

it('stays an error where the person has said no', () => {
  for (const said of [{ action: 'decline' }, { action: 'cancel' }, 'x'])
    expect(linksWanted(wanting([LINK]), { ...CALL, params: { inputResponses: { link1: said } } }, ABLE)).toBeUndefined()
})

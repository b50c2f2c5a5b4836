// Names that a careless reader would follow into a prototype. Catalogue row F7.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDocument } from '../../src/config/document.ts'
import { Config } from '../../src/config/schema.ts'
import { profileOf } from '../../src/identity/claims.ts'
import {
  attackTable,
  expectAlive,
  expectNoInside,
  MCP_PATH,
  type Range,
  type Shot,
  shoot,
  startRange,
  toolCall,
} from '../support/range.ts'

let range: Range

beforeAll(async () => {
  range = await startRange()
})
afterAll(() => range?.close())

const POISON = [
  '__proto__',
  'constructor',
  'prototype',
  '__proto__[admin]',
  '__proto__.admin',
  'constructor[prototype][admin]',
  'constructor.prototype.admin',
  'toString',
  'hasOwnProperty',
  'then',
]
const prototypes = () =>
  [Object.prototype, Array.prototype, Function.prototype, String.prototype, Map.prototype].map((one) =>
    Reflect.ownKeys(one),
  )

describe('F7 a polluted prototype', () => {
  const admin = '{"admin":true,"administrator":true,"roles":["admin"]}'
  const open = { Authorization: undefined }
  const form = { ...open, 'Content-Type': 'application/x-www-form-urlencoded' }
  const json = { ...open, 'Content-Type': 'application/json' }

  attackTable(
    'by a name',
    POISON.map((id) => ({ id })),
    async ({ id: name }) => {
      const before = prototypes()
      const encoded = encodeURIComponent(name)
      const quoted = JSON.stringify(name)
      const shots: Shot[] = [
        { method: 'GET', target: `/oauth/authorize?${encoded}=1&client_id=${encoded}&state=${encoded}`, bend: open },
        { method: 'GET', target: `${MCP_PATH}?${encoded}=1` },
        { target: '/oauth/token', bend: form, body: `${encoded}=1&grant_type=${encoded}&client_id=${encoded}` },
        { target: '/oauth/revoke', bend: form, body: `${encoded}=1&token=${encoded}&client_id=${encoded}` },
        {
          target: '/oauth/register',
          bend: json,
          body: `{${quoted}:${admin},"redirect_uris":["https://a.example/"],"grant_types":[${quoted}]}`,
        },
        { target: '/oauth/register', bend: json, body: `{"redirect_uris":${admin},"jwks":{${quoted}:${admin}}}` },
        { bend: { [name.replace(/[^\w-]/g, '')]: '1', [`Mcp-Param-${name.replace(/[^\w-]/g, '')}`]: '1' } },
        { body: toolCall('modern', 'read_note', `{${quoted}:${admin}}`) },
        { wire: 'legacy', body: `{"jsonrpc":"2.0","id":1,"method":${quoted},"params":{${quoted}:${admin}}}` },
        {
          wire: 'legacy',
          body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${quoted},"_meta":{${quoted}:${admin}}}}`,
        },
        {
          wire: 'legacy',
          body: `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":${quoted},"name":"x"}}}`,
        },
        { wire: 'legacy', body: `{"jsonrpc":"2.0","id":1,"method":"tools/list",${quoted}:${admin}}` },
        ...['servers', 'interaction', 'callback', 'oauth/register', '.well-known'].map((room) => ({
          method: 'GET',
          target: `/${room}/${encoded}`,
        })),
        ...['mcp', 'sse'].map((door) => ({ target: `/servers/${encoded}/${door}` })),
      ]
      for (const shot of shots) {
        const answer = await shoot(range, shot)
        expect(answer.status).toBeLessThan(500)
        expectNoInside(answer.body.toString())
        expect(prototypes()).toEqual(before)
      }
      const clean: Record<string, unknown> = {}
      expect([clean['admin'], clean['administrator'], clean['roles']]).toEqual([undefined, undefined, undefined])
      await expectAlive(range)
    },
  )

  it('by the configuration', () => {
    const before = prototypes()
    for (const name of POISON) {
      const polluted: unknown = JSON.parse(`{"server":{${JSON.stringify(name)}:{"development":true}}}`)
      const parsed = Config.safeParse(polluted)
      // A __proto__ of JSON is an own key, which a strict object either refuses or does not take over.
      if (parsed.success) expect(Config.parse(polluted).server.development).toBe(false)
      const text = `server: {}\n${JSON.stringify(name)}: { admin: true }\n`
      const { input, problems } = readDocument(text, 'portcullis.yaml', {})
      const refused = problems.length > 0 || !Config.safeParse(input.tree).success
      expect([name, refused]).toEqual([name, true])
    }
    expect(prototypes()).toEqual(before)
    expect(readDocument('server: {}\n', 'portcullis.yaml', {}).problems).toEqual([])
  })

  it('by the claims of an identity provider', () => {
    const before = prototypes()
    const claims = JSON.parse(
      '{"__proto__":{"groups":["admin"],"email":"a@evil.example","email_verified":true},"constructor":{"prototype":{"roles":["admin"]}}}',
    ) as Record<string, unknown>
    const mapping = { groups: '__proto__.polluted', roles: 'constructor.prototype.none', teams: 'toString' }
    const source = {
      provider: 'corp',
      issuer: 'https://idp.example',
      subject: 's',
      mapping,
      proof: { verifiedBy: ['email_verified'], loose: true },
    }
    expect(profileOf([claims], source)).toMatchObject({ email: undefined, groups: [], roles: [], teams: [] })
    expect(
      profileOf([{ ...claims, polluted: ['x'] }], { ...source, mapping: { ...mapping, groups: 'polluted' } }).groups,
    ).toEqual(['x'])
    expect(prototypes()).toEqual(before)
  })
})

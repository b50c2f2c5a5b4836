// A resolver that is silent, slow, broken or lies (security.md R20; catalogue rows B5 and B6 for the way to servers).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemNames } from '../../src/upstreams/network/names.ts'
import { answer, type FaultyServer, json, startFaultyServer } from '../support/faulty-server.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { callTool } from '../support/mcp.ts'
import { type NameServer, startNameServer } from '../support/name-server.ts'

let names: NameServer
let server: FaultyServer
let gateway: TestGateway
const tokens = new Map<string, string>()

const IDS = [
  'good',
  'silent',
  'broken',
  'unknown',
  'rebinding',
  'mixed',
  'metadata',
  'wrapped',
  'inside',
  'moving',
] as const

const PUBLIC = { addresses: ['public'] }
const MORE: { readonly [id in (typeof IDS)[number]]?: object } = {
  inside: PUBLIC,
  mixed: PUBLIC,
  // Long enough for the calls of others in between, on a slow machine too.
  silent: { connectTimeout: '4s' },
}

beforeAll(async () => {
  ;[names, server] = await Promise.all([startNameServer(), startFaultyServer()])
  const at = (id: string, more: object = {}) => ({
    id,
    url: `http://${id}.example:${server.port}/mcp`,
    breaker: { failures: 10_000 },
    ...more,
  })
  gateway = await startGateway({
    resolve: systemNames({
      nameServers: [names.at],
      hostsFile: '/nowhere',
      resolvConf: '/nowhere',
      askSystem: async () => [],
    }),
    oauth: { accessTokenTtl: '1h' },
    servers: IDS.map((id) => at(id, MORE[id])),
  })
  for (const id of IDS) tokens.set(id, await gateway.tokenFor(id))
  names.point('good.example', ['127.0.0.1'])
  // Every call is made over a connection of its own, which needs an address.
  server.on('fine', ({ id, res }) => {
    res.setHeader('connection', 'close')
    json(res, answer(id))
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([names?.close(), server?.close()])
})

const ask = (id: (typeof IDS)[number]) => callTool(gateway.resource(id), tokens.get(id), 'fine')
const logged = (id: string, code: string) =>
  gateway.log.some(
    (line) => line.includes(`"server":"${id}"`) && line.includes('cannot connect') && line.includes(code),
  )

describe('R20', () => {
  it('a name whose resolver is silent costs the callers of its own server the time of a connection, and nobody else anything', async () => {
    names.point('silent.example', 'silent')
    const stalled = Array.from({ length: 40 }, () => ask('silent'))
    let ended = 0
    for (const each of stalled) void each.then(() => (ended += 1))
    // Answered while all forty wait: files, cryptography and other names go on.
    for (let round = 0; round < 5; round++) expect(await ask('good')).toMatchObject({ status: 200 })
    expect(ended).toBe(0)
    for (const each of await Promise.all(stalled)) expect(each.status).toBe(502)
    expect(names.asked('good.example')).toBe(1)
    expect(logged('silent', 'EAI_AGAIN')).toBe(true)
  })

  it('what was known serves on while the resolver is silent', async () => {
    expect(await ask('good')).toMatchObject({ status: 200 })
    names.point('good.example', 'silent')
    gateway.clock.advance('61s')
    expect(await ask('good')).toMatchObject({ status: 200 })
    expect(names.asked('good.example')).toBeGreaterThan(1)
    names.point('good.example', ['127.0.0.1'])
  })

  it.each([
    ['broken', 'broken', 'EAI_AGAIN'],
    ['unknown', 'unknown', 'ENOTFOUND'],
  ] as const)('a name that is %s is one error, told with what to do', async (id, saying, code) => {
    names.point(`${id}.example`, saying)
    expect(await ask(id)).toMatchObject({ status: 502, body: { error: { code: -32603 } } })
    expect(logged(id, code)).toBe(true)
    expect(await ask('good')).toMatchObject({ status: 200 })
  })
})

describe('B5, B6: a name that an administrator wrote', () => {
  it('is not led to where machines of a cloud are told their credentials, however that is spelled', async () => {
    const called = server.called.length
    for (const address of [
      '169.254.169.254',
      '::ffff:169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      'fe80::1',
      'fd00:ec2::254',
    ]) {
      names.point('metadata.example', [address])
      gateway.clock.advance('61s')
      expect(await ask('metadata')).toMatchObject({ status: 502 })
    }
    expect(logged('metadata', 'ERR_ADDRESS_REFUSED')).toBe(true)
    expect(server.called).toHaveLength(called)
  })

  it('is refused as a whole where one of its addresses may not be', async () => {
    names.point('wrapped.example', ['127.0.0.1', '169.254.169.254'])
    expect(await ask('wrapped')).toMatchObject({ status: 502 })
    names.point('mixed.example', ['93.184.216.34', '::1'])
    expect(await ask('mixed')).toMatchObject({ status: 502 })
    expect(logged('mixed', 'ERR_ADDRESS_REFUSED')).toBe(true)
    // The positive twin: the same name without it.
    names.point('wrapped.example', ['127.0.0.1'])
    gateway.clock.advance('61s')
    expect(await ask('wrapped')).toMatchObject({ status: 200 })
  })

  it('leads nowhere but to the addresses it may have', async () => {
    names.point('inside.example', ['127.0.0.1'])
    const called = server.called.length
    expect(await ask('inside')).toMatchObject({ status: 502 })
    expect(server.called).toHaveLength(called)
  })

  it('is connected to as it was judged: there is no second question that could be answered otherwise', async () => {
    // The first answer is where it may be; any later one would lead into the house.
    names.point('rebinding.example', ['127.0.0.1'], ['169.254.169.254'])
    const fine = () => server.called.filter((tool) => tool === 'fine').length
    const called = fine()
    for (let round = 0; round < 5; round++) expect(await ask('rebinding')).toMatchObject({ status: 200 })
    expect(names.asked('rebinding.example')).toBe(1)
    gateway.clock.advance('61s')
    const fresh = await startGateway({
      resolve: systemNames({
        nameServers: [names.at],
        hostsFile: '/nowhere',
        resolvConf: '/nowhere',
        askSystem: async () => [],
      }),
      servers: [{ id: 'rebinding', url: `http://rebinding.example:${server.port}/mcp` }],
    })
    expect(await callTool(fresh.resource('rebinding'), await fresh.tokenFor('rebinding'), 'fine')).toMatchObject({
      status: 502,
    })
    await fresh.close()
    expect(fine()).toBe(called + 5)
  })
})

describe('R20: names that strangers make up', () => {
  const begin = (host: string) =>
    fetch(
      `${gateway.url}/oauth/authorize?${new URLSearchParams({
        response_type: 'code',
        client_id: `https://${host}:${server.port}/client.json`,
        redirect_uri: `https://${host}/callback`,
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
      })}`,
      { redirect: 'manual' },
    )

  it('wait for no thread that files, cryptography and all other names wait for: the resolver is asked directly', async () => {
    const silent = Array.from({ length: 8 }, (_, at) => `silent-${at}.example`)
    for (const name of silent) names.point(name, 'silent')
    names.point('client.example', ['127.0.0.1'])
    let ended = 0
    const waiting = silent.map((name) => begin(name).finally(() => (ended += 1)))
    // Nothing speaks TLS there; its name was looked up while the others are waited for.
    expect((await begin('client.example')).status).toBe(400)
    expect(ended).toBe(0)
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(silent.map(() => 400))
    expect(['client.example', ...silent].filter((name) => names.asked(name) === 0)).toEqual([])
  })
})

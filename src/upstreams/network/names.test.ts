// What the C library would say, without its threads. A resolver that is silent, slow or lies: test/faults/slow-resolver.test.ts.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type NameServer, startNameServer } from '../../../test/support/name-server.ts'
import { candidatesOf, hostsOf, systemNames } from './names.ts'

let server: NameServer
let folder: string
const system: string[] = []
beforeAll(async () => {
  server = await startNameServer()
  folder = mkdtempSync(join(tmpdir(), 'portcullis-names-'))
})
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  system.length = 0
})

const names = (files: { hosts?: string; resolv?: string } = {}) => {
  const [hostsFile, resolvConf] = [join(folder, 'hosts'), join(folder, 'resolv.conf')]
  writeFileSync(hostsFile, files.hosts ?? '')
  writeFileSync(resolvConf, files.resolv ?? '')
  return systemNames({
    nameServers: [server.at],
    hostsFile,
    resolvConf,
    askSystem: async (host) => {
      system.push(host)
      return ['192.0.2.99']
    },
  })
}

describe('a name', () => {
  it('means what the resolver says, of both families', async () => {
    server.point('both.example', ['192.0.2.1', '2001:db8::1'])
    expect(await names()('both.example', 2000)).toEqual(['192.0.2.1', '2001:db8::1'])
    server.point('six.example', ['2001:db8::6'])
    expect(await names()('six.example', 2000)).toEqual(['2001:db8::6'])
    expect(system).toEqual([])
  })

  it('of the hosts file means what is written there, whatever the resolver says', async () => {
    server.point('pinned.example', ['192.0.2.66'])
    expect(await names({ hosts: '10.0.0.7 other Pinned.example # ours' })('pinned.EXAMPLE', 2000)).toEqual(['10.0.0.7'])
    expect(server.asked('pinned.example')).toBe(0)
  })

  it('localhost is this machine, and nobody is asked', async () => {
    expect(await names()('localhost', 2000)).toEqual(['127.0.0.1', '::1'])
    expect(await names()('tools.localhost', 2000)).toEqual(['127.0.0.1', '::1'])
  })

  it('of few dots is looked for in the search list', async () => {
    server.point('github.tools.svc.cluster.local', ['10.1.2.3'])
    const resolv = 'search tools.svc.cluster.local svc.cluster.local\noptions ndots:5 timeout:1\n'
    expect(await names({ resolv })('github', 2000)).toEqual(['10.1.2.3'])
    expect(await names({ resolv })('github.tools', 2000)).toEqual(['10.1.2.3'])
  })

  it('that the resolver does not know is left to the system', async () => {
    expect(await names()('printer.example', 2000)).toEqual(['192.0.2.99'])
    expect(system).toEqual(['printer.example'])
  })

  it('is not known to anybody while the resolver fails, or says nothing in time', async () => {
    server.point('broken.example', 'broken')
    server.point('silent.example', 'silent')
    await expect(names()('broken.example', 2000)).rejects.toMatchObject({ name: 'NameError', code: 'EAI_AGAIN' })
    await expect(names()('silent.example', 300)).rejects.toMatchObject({ name: 'NameError', code: 'EAI_AGAIN' })
    expect(system).toEqual([])
  })
})

it.each<[string, string, string[]]>([
  ['127.0.0.1 localhost\n10.0.0.1 a a.example\n10.0.0.2 A.EXAMPLE', 'a.example', ['10.0.0.1', '10.0.0.2']],
  ['10.0.0.1 ab.example', 'b.example', []],
  ['# 10.0.0.1 a.example', 'a.example', []],
  ['10.0.0.1 a.example', 'a.example.', ['10.0.0.1']],
  ['', 'a', []],
])('hosts file %j: %s', (text, host, expected) => {
  expect(hostsOf(text, host)).toEqual(expected)
})

it.each<[string, string, string[]]>([
  ['', 'a.b', ['a.b']],
  ['', 'a', ['a']],
  ['search x.example y.example', 'a', ['a.x.example', 'a.y.example', 'a']],
  ['search x.example', 'a.b', ['a.b', 'a.b.x.example']],
  ['search x.example\noptions ndots:2', 'a.b', ['a.b.x.example', 'a.b']],
  ['search x.example\noptions timeout:1 ndots:2 attempts:1', 'a.b.c', ['a.b.c', 'a.b.c.x.example']],
  ['search x.example', 'a.', ['a.']],
  ['search .', 'a', ['a']],
  ['domain x.example', 'a', ['a.x.example', 'a']],
  ['search old.example\nsearch new.example', 'a', ['a.new.example', 'a']],
])('resolv.conf %j: %s', (text, host, expected) => {
  expect(candidatesOf(host, text)).toEqual(expected)
})

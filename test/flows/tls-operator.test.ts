// TLS as an operator meets it: files that cannot be used end the start with a message, SIGHUP reads them again, `config check` reads
// them as well.
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCommand, type Served, serve, writeConfig } from '../support/cli.ts'
import { connectTls, createTlsFolder, httpsClient, issueOwn, type TlsFolder } from '../support/tls.ts'

let folder: TlsFolder
const cleanups: (() => unknown)[] = []

beforeEach(() => {
  folder = createTlsFolder()
  cleanups.push(folder.remove)
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function run(command: 'serve' | 'check') {
  const { folder: cwd, configFile } = await writeConfig({ server: { tls: folder.tls } })
  cleanups.push(() => rmSync(cwd, { recursive: true, force: true }))
  return runCommand(command === 'serve' ? ['serve', '--config', configFile] : ['config', 'check', configFile], { cwd })
}

describe.each(['serve', 'check'] as const)('%s', (command) => {
  it.each<[string, string, RegExp, () => unknown]>([
    ['a missing key', 'server.tls.key', /no such file/, () => rmSync(folder.tls.key)],
    ['PEM that is none', 'server.tls.cert', /holds no certificate/, () => folder.write('gate.crt', 'hello')],
    [
      'the key of another certificate',
      'server.tls.key',
      /does not belong to the certificate/,
      () => folder.write('gate.key', issueOwn(folder.authority).key),
    ],
    ['an authority that is none', 'server.tls.clientCa', /BEGIN CERTIFICATE/, () => folder.write('ca.crt', '')],
  ])('says %s, and ends', async (_what, setting, message, spoil) => {
    spoil()
    const { code, stdout, stderr } = await run(command)
    expect([code, stdout]).toEqual([78, ''])
    expect(stderr).toContain(`  ${setting}\n`)
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/^\s+at |node:internal|PRIVATE KEY/m)
  })
})

describe('SIGHUP', () => {
  let served: Served
  /** The files stand behind links: what changes in `archive` nobody watches. */
  let place: string

  beforeEach(async () => {
    place = join(folder.tls.cert, '..')
    mkdirSync(join(place, 'archive'))
    mkdirSync(join(place, 'live'))
    const own = issueOwn(folder.authority)
    const link = (name: string, text: string) => {
      writeFileSync(join(place, 'archive', name), text)
      symlinkSync(join('..', 'archive', name), join(place, 'live', name))
      return join(place, 'live', name)
    }
    folder.tls.cert = link('gate.crt', own.cert)
    folder.tls.key = link('gate.key', own.key)
    served = await serve({ server: { tls: folder.tls } })
    cleanups.push(() => served.close())
  })
  const port = () => Number(new URL(served.url).port)
  const fingerprint = async () => {
    const socket = await connectTls(port(), { authority: folder.authority })
    const found = socket.getPeerCertificate().fingerprint256
    socket.destroy()
    return found
  }

  it('takes what is new in them, while a connection stays', async () => {
    expect(served.url).toMatch(/^https:/)
    const kept = httpsClient(port(), { authority: folder.authority })
    cleanups.push(kept.close)
    expect((await kept.get('/health')).status).toBe(200)
    const before = await fingerprint()
    const renewed = issueOwn(folder.authority)
    writeFileSync(join(place, 'archive', 'gate.key'), renewed.key)
    writeFileSync(join(place, 'archive', 'gate.crt'), renewed.cert)
    served.child.kill('SIGHUP')
    await served.says(/the new TLS files are in force/)
    expect(await fingerprint()).not.toBe(before)
    expect([(await kept.get('/health')).status, kept.connections()]).toEqual([200, 1])
  })

  it('refuses what cannot be used, and names it', async () => {
    const before = await fingerprint()
    writeFileSync(join(place, 'archive', 'gate.crt'), 'hello')
    served.child.kill('SIGHUP')
    const [line] = await served.says(/.*the new configuration is refused.*/)
    expect(line).toContain('server.tls.cert')
    expect(await fingerprint()).toBe(before)
  })

  it('needs a restart for other paths, and says so', async () => {
    const config = JSON.parse(readFileSync(served.configFile, 'utf8')) as { server: { tls: object } }
    config.server.tls = { ...config.server.tls, minVersion: 'TLSv1.3' }
    writeFileSync(served.configFile, JSON.stringify(config))
    const [line] = await served.says(/.*the new configuration is refused.*/)
    expect(line).toContain('server.tls')
    expect(line).toContain('needs a restart')
  })
})

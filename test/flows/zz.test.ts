import { it } from 'vitest'
import { readdirSync, readFileSync, mkdtempSync } from 'node:fs'
import { startFixture } from '../support/fixture-server.ts'
import { startGateway } from '../support/gateway.ts'
import { runInspector } from '../support/inspector.ts'
it('x', async () => {
  const fixture = await startFixture()
  const gateway = await startGateway({ servers: [{ id: 'fixture', url: fixture.url }] })
  const folder = mkdtempSync('/tmp/insp/f')
  const person = await gateway.person()
  const o = { url: gateway.resource('fixture'), folder, person }
  await runInspector({ ...o, args: ['--method', 'tools/list'] })
  for (const f of readdirSync(folder, { recursive: true }) as string[]) { try { console.log(f, readFileSync(`${folder}/${f}`, 'utf8').slice(0, 6000)) } catch {} }
  const before = gateway.log.length
  await runInspector({ ...o, args: ['--method', 'tools/list', '--relogin'] })
  console.log(gateway.log.slice(before).join(''))
  await gateway.close(); await fixture.close()
})

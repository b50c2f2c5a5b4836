// The realm of realm.ts on oidc-provider, in a process of its own, for machines without a Keycloak.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Realm } from './realm.ts'

const SCRIPT = fileURLToPath(new URL('./realm-process.ts', import.meta.url))

export async function startImitation(why: string): Promise<Realm> {
  const child = spawn(process.execPath, [SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'] })
  const exited = once(child, 'exit')
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const [issuer] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    exited.then(([code]) => Promise.reject(new Error(`The realm ended with ${code}: ${said}`))),
  ])
  exited.catch(() => undefined)
  return {
    product: 'oidc-provider',
    why,
    issuer,
    // It gives the audience that is asked for (RFC 8707), and takes loopback redirects on every port.
    nameAudience: async () => undefined,
    allowRedirect: async () => undefined,
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

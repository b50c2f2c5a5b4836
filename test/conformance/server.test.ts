// The gateway in front of the fixture is as good a server as the fixture: the official suite, over a bearer-injecting proxy.
import { expect } from 'vitest'
import { startFixture } from '../support/fixture-server.ts'
import { startGateway } from '../support/gateway.ts'
import { startInjector } from '../support/injector.ts'
import { describeServer, type Target } from './server-suite.ts'

await describeServer('the fixture behind the gate', async (): Promise<Target> => {
  const fixture = await startFixture()
  const gateway = await startGateway({
    servers: [{ id: 'fixture', url: fixture.url }],
    policy: { rules: [{ allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] }] },
  })
  const token = await gateway.tokenFor('fixture')
  const injector = await startInjector({ target: gateway.resource('fixture'), token: () => token })
  return {
    url: injector.url,
    async close() {
      await injector.close()
      await gateway.close()
      const requests = fixture.requests()
      await fixture.close()
      // Answered by the fixture, not by something that answers like it.
      expect(requests).toBeGreaterThan(100)
    },
  }
})

// The fixture alone behind /mcp, its names unprefixed: the address of many servers is as good a server as one of them.
import { expect } from 'vitest'
import { startFixture } from '../support/fixture-server.ts'
import { startGateway } from '../support/gateway.ts'
import { startInjector } from '../support/injector.ts'
import { describeServer, type Target } from './server-suite.ts'

// What many servers said is not kept to be said again: it may have been of others.
const NO_REPLAYS = ['server-sse-polling']

async function startTarget(): Promise<Target> {
  const fixture = await startFixture()
  const gateway = await startGateway({
    servers: [{ id: 'fixture', url: fixture.url }],
    aggregate: { naming: 'none' },
    policy: { rules: [{ allow: ['*/*', 'prompt:*/*', 'resource:*/*', 'method:*/*'], to: ['*'] }] },
  })
  const token = await gateway.tokenFor('*')
  const injector = await startInjector({ target: gateway.resource('*'), token: () => token })
  return {
    url: injector.url,
    async close() {
      await injector.close()
      await gateway.close()
      const requests = fixture.requests()
      await fixture.close()
      // Answered by the fixture, not by something that answers like it.
      expect(requests).toBeGreaterThan(50)
    },
  }
}

await describeServer('the fixture behind the aggregate', startTarget, NO_REPLAYS)

// The fixture by itself: what fails here is not the gateway's fault.
import { startFixture } from '../support/fixture-server.ts'
import { describeServer } from './server-suite.ts'

await describeServer('the fixture alone', () => startFixture())

// `npm test [paths…]`: fetch what is needed, run the suites, end with one line: `N passed, N failed, N skipped`.
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import { startVitest } from 'vitest/node'
import { prepare } from './prepare.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

// What is skipped is not tested: where the whole set is promised (CI), a skip is a failure.
const strict = process.env['CI'] === 'true'

const missing = prepare(say)
for (const line of missing) say(line)

let strayErrors = 0
const counter: Reporter = {
  onTestRunEnd(_modules, unhandled) {
    strayErrors = unhandled.length
  },
}
const options = { run: true, watch: false, reporters: ['default', counter] }
const vitest = await startVitest(process.argv.slice(2), options)
const modules = vitest.state.getTestModules()
await vitest.close()

const tests = modules.flatMap((module) => [...module.children.allTests()])
const inState = (state: string) => tests.filter((test) => test.result().state === state)
// A skip tells its reason (`context.skip(reason)`); one without is a test that never got to run, as when its hook failed.
const skipped = inState('skipped').filter((test) => noteOf(test) !== undefined)
const lost = [...inState('skipped').filter((test) => noteOf(test) === undefined), ...inState('pending')]
// A file that cannot be loaded has no tests to fail, an error outside of every test has none either; both count.
const broken = modules.filter((module) => isBroken(module)).length + strayErrors + (tests.length === 0 ? 1 : 0)
const failed = inState('failed').length + lost.length + broken + (strict ? skipped.length : 0)

for (const test of lost) say(`did not run: ${placeOf(test)}`)
for (const test of skipped) say(`${strict ? 'FAILED (skipped)' : 'skipped'}: ${placeOf(test)}: ${noteOf(test)}`)
if (tests.length === 0) say('No test was found.')
say('')
say(`${inState('passed').length} passed, ${failed} failed, ${strict ? 0 : skipped.length} skipped`)
process.exit(failed === 0 ? 0 : 1)

function isBroken(module: TestModule): boolean {
  const allPassed = [...module.children.allTests()].every((test) => test.result().state === 'passed')
  return module.state() === 'failed' && allPassed
}

function placeOf(test: TestCase): string {
  return `${test.module.relativeModuleId} > ${test.fullName}`
}

function noteOf(test: TestCase): string | undefined {
  const result = test.result()
  return result.state === 'skipped' ? result.note : undefined
}

// How the suites run: `unit` is the pure rules beside the code, the others are the folders of test/.
// Processes, not threads: a test may send signals, change folder and hold open sockets without meeting its neighbour.
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const SUITES = ['house', 'rfc', 'acceptance', 'attacks', 'flows', 'faults'] as const
// The official suites and real browsers start processes of their own.
const SLOW = ['conformance', 'matrix'] as const

// What it ends is only what hangs: a test of eight seconds on a quiet machine may have thirty on a busy one of half the speed.
const TEST_TIMEOUT = 60_000

/** What the listener promises of bytes, lengths and connections, once more over TLS. */
const OVER_TLS = ['framing', 'header-values', 'headers-body', 'sessions'].map((name) => `test/attacks/${name}.test.ts`)

const suite = (name: string, testTimeout: number) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout * 2 },
})

export default defineConfig({
  test: {
    // So long `expect.poll` waits for what another part does in its own time: it only ends what would never come.
    expect: { poll: { timeout: 20_000 } },
    // Processes that a test starts need not compile again what the command line has compiled (src/cli/main.mjs).
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/portcullis') },
    pool: 'forks',
    maxWorkers: 2,
    globals: false,
    watch: false,
    teardownTimeout: 10_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['src/**/*.test.ts'], testTimeout: TEST_TIMEOUT, hookTimeout: TEST_TIMEOUT * 2 },
      },
      ...SUITES.map((name) => suite(name, TEST_TIMEOUT)),
      {
        extends: true,
        test: {
          name: 'tls',
          include: OVER_TLS,
          env: { PORTCULLIS_TEST_TLS: '1' },
          testTimeout: TEST_TIMEOUT,
          hookTimeout: TEST_TIMEOUT * 2,
        },
      },
      ...SLOW.map((name) => suite(name, 180_000)),
    ],
  },
})

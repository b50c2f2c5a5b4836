// What a program is started through: words only, and refusals where the machine cannot keep what is asked.
import { describe, expect, it } from 'vitest'
import { stdioConfig } from '../../../../test/support/configured.ts'
import type { StdioServerConfig } from '../../../config/servers.ts'
import { OperatorError } from '../../../protocol/errors.ts'
import { type Machine, wrapperOf } from './wrapper.ts'

const NONE = { memory: 0, cpu: 0, files: 0, processes: 0, line: 1000 }

function words(
  own: { folder?: string; limits?: Partial<StdioServerConfig['limits']>; sandbox?: StdioServerConfig['sandbox'] },
  machine: { has?: readonly string[]; complains?: readonly string[]; root?: boolean } = {},
): string {
  const { has = ['prlimit', 'bwrap', 'systemd-run', 'true'], complains = [], root = false } = machine
  const config = stdioConfig({
    id: 'one',
    command: ['x'],
    limits: { ...NONE, ...own.limits },
    sandbox: own.sandbox ?? 'none',
  })
  const there: Machine = {
    find: (program) => (has.includes(program) ? `/bin/${program}` : undefined),
    complaint: ([program = '']) => (complains.includes(program) ? 'not permitted' : undefined),
    exists: () => true,
    root,
  }
  return wrapperOf(config, '/ours', there)({ folder: own.folder ?? '/ours/servers/one' }).join(' ')
}

describe('limits', () => {
  it('are kept by the kernel, each under its name', () => {
    expect(words({ limits: { memory: 1024, cpu: 1500, files: 64, processes: 8 } })).toBe(
      '/bin/prlimit --core=0 --data=1024 --cpu=2 --nofile=64 --nproc=8 --',
    )
  })

  it('that are none need nothing', () => {
    expect(words({}, { has: [] })).toBe('')
  })

  it('that the machine cannot keep are no limits, so that the server is not started', () => {
    expect(() => words({ limits: { files: 64 } }, { has: [] })).toThrow(OperatorError)
    expect(() => words({ limits: { files: 64 } }, { has: [] })).toThrow(/one.*limits.*no prlimit.*util-linux/s)
  })

  it('of processes bind nobody who is root, and are refused to them', () => {
    expect(() => words({ limits: { processes: 8 } }, { root: true })).toThrow(/root.*another user/s)
    expect(words({ limits: { files: 8 } }, { root: true })).toContain('--nofile=8')
  })
})

describe('the end of a gate that is killed', () => {
  const has = ['prlimit', 'bwrap', 'systemd-run', 'true', 'setpriv']
  const END = '/bin/setpriv --pdeathsig KILL --'

  it('is the program’s, by the kernel, beside its limits', () => {
    expect(words({}, { has })).toBe(END)
    expect(words({ limits: { files: 64 } }, { has })).toBe(`${END} /bin/prlimit --core=0 --nofile=64 --`)
    // systemd-run becomes the program; before it, the word would be lost with what it talks to.
    expect(words({ sandbox: 'systemd-run' }, { has })).toMatch(new RegExp(`^/bin/systemd-run .* -- ${END}$`))
  })

  it('is seen to by bwrap, where there is one', () => {
    expect(words({ sandbox: 'bwrap' }, { has })).toMatch(/--die-with-parent/)
    expect(words({ sandbox: 'bwrap' }, { has })).not.toMatch(/setpriv/)
  })

  it('is not where the machine has no such word', () => {
    expect(words({}, { has: ['true'] })).toBe('')
    expect(words({}, { has, complains: ['/bin/setpriv'] })).toBe('')
  })
})

describe('a sandbox', () => {
  it('of bwrap has a file system to read, a folder to write, and not our own', () => {
    const inside = words({ sandbox: 'bwrap', limits: { files: 64 } })
    expect(inside).toMatch(/^\/bin\/bwrap --unshare-all --share-net --die-with-parent --ro-bind \/ \/ /)
    // The later word wins: our folder is hidden, and only then its own shown.
    expect(inside).toMatch(
      /--tmpfs \/ours --bind \/ours\/servers\/one \/ours\/servers\/one --chdir \/ours\/servers\/one/,
    )
    // A folder around ours is shown first.
    expect(words({ sandbox: 'bwrap', folder: '/' })).toContain('--tmpfs /ours --chdir / --')
    expect(words({ sandbox: 'bwrap', folder: '/etc' })).toContain('--bind /etc /etc --tmpfs /ours --chdir /etc --')
    expect(inside).toMatch(/ -- \/bin\/prlimit --core=0 --nofile=64 --$/)
  })

  it('of systemd-run keeps memory and processes of all of it, also for root', () => {
    const limits = { memory: 1024, processes: 8, cpu: 1000 }
    expect(words({ sandbox: 'systemd-run', limits })).toBe(
      '/bin/systemd-run --user --scope --quiet --collect -p MemoryMax=1024 -p MemorySwapMax=0 -p TasksMax=8 -- /bin/prlimit --core=0 --cpu=1 --',
    )
    expect(words({ sandbox: 'systemd-run', limits }, { root: true })).toMatch(/^\/bin\/systemd-run --scope /)
  })

  it('that is asked for by name and does not work is an error of the operator, which says why', () => {
    expect(() => words({ sandbox: 'bwrap' }, { has: ['true'] })).toThrow(/one.*bwrap: it is not installed/s)
    expect(() => words({ sandbox: 'bwrap' }, { complains: ['/bin/bwrap'] })).toThrow(/bwrap: not permitted/)
    expect(() => words({ sandbox: 'systemd-run' }, { complains: ['/bin/systemd-run'] })).toThrow(OperatorError)
  })

  it('of the automatic kind is the first that works, or none', () => {
    expect(words({ sandbox: 'auto' })).toMatch(/^\/bin\/bwrap /)
    expect(words({ sandbox: 'auto' }, { complains: ['/bin/bwrap'] })).toMatch(/^\/bin\/systemd-run /)
    expect(words({ sandbox: 'auto' }, { has: ['true'] })).toBe('')
  })
})

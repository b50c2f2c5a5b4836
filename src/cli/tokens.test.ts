// `portcullis tokens` as an operator types it: the secret alone on standard output, the rest beside it, every act in the record.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { runCommand } from '../../test/support/cli.ts'
import { addUser } from '../../test/support/people.ts'
import { OperatorError } from '../protocol/errors.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { isApiTokenForm } from '../tokens/api-token.ts'
import { type CreateOptions, create, list, revoke, rotate } from './tokens.ts'

const cwd = mkdtempSync(join(tmpdir(), 'portcullis-tokens-'))
const settings = { 'store.url': `sqlite:${join(cwd, 'data/x.db')}`, 'store.directory': join(cwd, 'data') }
const common = { set: settings, seeds: {} }

/** What a command writes, without a process of its own. */
async function told(command: Promise<void>): Promise<{ out: string; err: string }> {
  const written = { out: '', err: '' }
  const hear = (stream: 'out' | 'err') => (text: unknown) => {
    written[stream] += String(text)
    return true
  }
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(hear('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(hear('err')),
  ]
  try {
    await command
    return written
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

const withStore = async <T>(use: (store: Store) => Promise<T>): Promise<T> => {
  const store = await openStore({ url: `sqlite:${join(cwd, 'data/x.db')}`, directory: join(cwd, 'data') })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

let ann = ''
beforeAll(async () => {
  const user = { username: 'ann', password: 'seven green bottles on a wall', teams: ['gate'] }
  ann = (await withStore((store) => addUser(store, user))).id
})
afterAll(() => rmSync(cwd, { recursive: true, force: true }))

const idOf = (stderr: string): string => /tok_[A-Za-z0-9_-]+/.exec(stderr)?.[0] ?? ''

describe('portcullis tokens', () => {
  it('prints the secret alone, as a process', async () => {
    const env = { PORTCULLIS_STORE_DIRECTORY: join(cwd, 'data'), PORTCULLIS_STORE_URL: settings['store.url'] }
    const words = ['tokens', 'create', 'piped', '--user', 'ann', '--expires-in', '2h', '--reach', 'notes/*', 'files/*']
    const { code, stdout, stderr } = await runCommand(words, { cwd, env })
    expect([code, isApiTokenForm(stdout.trimEnd()), stdout.split('\n').length]).toEqual([0, true, 2])
    expect(stderr).toContain('(piped) of')
    expect(stderr).not.toContain(stdout.trimEnd())
    const listed = await runCommand(['tokens', 'list', '--json'], { cwd, env })
    expect(JSON.parse(listed.stdout)).toMatchObject({ name: 'piped', reach: ['notes/*', 'files/*'], owner: ann })
  })

  it('creates, lists masked, rotates and revokes', async () => {
    const created = await told(create('nightly run', { ...common, user: 'ann', reach: ['notes/read_*'] }))
    const secret = created.out.trimEnd()
    expect([isApiTokenForm(secret), created.out]).toEqual([true, `${secret}\n`])
    const id = idOf(created.err)

    const all = { ...common, owner: ann, all: false, json: false }
    expect((await told(list(all))).out).toContain(`${id}  ${secret.slice(0, 6)}…${secret.slice(-4)}  ${ann}  until `)
    expect((await told(list(all))).out).toContain('never used  nightly run\n')

    const rotated = await told(rotate(id, { ...common, transition: '10m', expiresIn: '1h' }))
    expect([isApiTokenForm(rotated.out.trimEnd()), rotated.out.includes(secret)]).toEqual([true, false])
    expect(rotated.err).toContain('The old secret works until ')
    await expect(rotate(id, common)).rejects.toThrow('still works')

    expect((await told(revoke(id, { ...common, reason: 'leaked' }))).out).toBe('')
    expect((await told(list(all))).out).not.toContain(id)
    expect((await told(list({ ...all, all: true }))).out).toContain('revoked')

    const acts = await withStore(async ({ records }) => (await records.newest(50)).map(({ line }) => JSON.parse(line)))
    expect(acts.filter(({ family }) => family === id)).toMatchObject([
      { act: 'token_created', subject: ann, by: 'operator', name: 'nightly run' },
      { act: 'token_rotated', reason: 'transition' },
      { act: 'token_revoked', reason: 'by_administrator' },
    ])
    const files = readdirSync(join(cwd, 'data'), { recursive: true })
      .map(String)
      .filter((name) => /\.(?:db|v\d)/.test(name))
    expect(files).toEqual(expect.arrayContaining([expect.stringMatching(/^audit\//), expect.stringMatching(/\.db$/)]))
    for (const file of files) expect(readFileSync(join(cwd, 'data', file)).includes(secret.slice(6, -4))).toBe(false)
  })

  it('creates one for a service, and one for an account by its id', async () => {
    const made = await told(
      create('deploy', { ...common, service: 'ci', team: 'gate', rate: '9/min', from: ['10.0.0.0/8'] }),
    )
    expect([isApiTokenForm(made.out.trimEnd()), made.err]).toEqual([true, expect.stringContaining('of service:ci')])
    expect((await told(create('by id', { ...common, user: ann }))).err).toContain(`of ${ann}`)
  })

  it.each<[string, string, Omit<CreateOptions, 'seeds'>, string]>([
    ['nobody', 'x', {}, 'Whose token?'],
    ['two owners', 'x', { user: 'ann', service: 'ci' }, 'Whose token?'],
    ['somebody unknown', 'x', { user: 'eve' }, 'eve: there is no account'],
    ['a team the owner is not in', 'x', { user: 'ann', team: 'board' }, 'does not belong'],
    ['a life beyond the limit', 'x', { user: 'ann', expiresIn: '8d' }, 'At most 7d (tokens.maxTtl)'],
    ['a life that is none', 'x', { user: 'ann', expiresIn: 'soon' }, 'Not a duration'],
    ['a target that is none', 'x', { user: 'ann', reach: ['github'] }, 'Write server/tool'],
    ['a name with a line feed', 'a\nb', { user: 'ann' }, 'No control characters'],
    ['a name that is taken', 'by id', { user: 'ann' }, 'has a token of this name'],
  ])('ends with a message for %s', async (_what, name, options, message) => {
    const ending = told(create(name, { ...common, ...options }))
    await expect(ending).rejects.toThrow(OperatorError)
    await expect(ending).rejects.toThrow(message)
  })

  it('ends with a message for a token that is not there', async () => {
    await expect(revoke('tok_nothing', common)).rejects.toThrow('There is no such token')
  })
})

// The kinds that are the same for everybody: headers and query.
import { afterEach, describe, expect, it } from 'vitest'
import { credentialNeeds, openWith, type TestNeeds } from '../../../test/support/credential-needs.ts'
import type { Credential } from '../credential.ts'
import type { Given } from '../upstream.ts'
import { gateSecret } from './value-source.ts'

const opened: Credential[] = []
afterEach(() => {
  for (const credential of opened.splice(0)) credential.close?.()
})
async function open(needs: TestNeeds, credentials: object): Promise<Credential> {
  const credential = await openWith(needs, credentials)
  opened.push(credential)
  return credential
}
const from = (source: object) => ({ type: 'headers', headers: { Authorization: { prefix: 'Bearer ', ...source } } })
const REFUSED = { status: 401, challenge: undefined }

describe('headers', () => {
  it('are sent as they are written, with small names', async () => {
    const credential = await open(credentialNeeds(), { type: 'headers', headers: { 'X-Key': 'k', 'X-Other': 'o' } })
    expect(credential.personal).toBe(false)
    expect(credential.given(undefined)).toEqual({ headers: { 'x-key': 'k', 'x-other': 'o' } })
    expect(credential.given(undefined)).toBe(credential.given(undefined))
  })

  it.each([
    ['a file', { file: '/key' }, (needs: TestNeeds) => needs.files.set('/key', 'canary\n')],
    ['a variable', { env: 'KEY' }, (needs: TestNeeds) => Object.assign(needs.env, { KEY: 'canary' })],
    ['the vault', { vault: 'KEY' }, (needs: TestNeeds) => needs.vault.put(gateSecret('KEY'), Buffer.from('canary'))],
  ])('come from %s', async (_what, source, write) => {
    const needs = credentialNeeds()
    await expect(open(needs, from(source))).rejects.toThrow(
      /servers\.notes\.credentials: Authorization is to come from/,
    )
    await write(needs)
    expect((await open(needs, from(source))).given(undefined)).toEqual({ headers: { authorization: 'Bearer canary' } })
  })

  it('name what is missing, and the cure', async () => {
    const needs = credentialNeeds()
    await expect(open(needs, from({ file: '/key' }))).rejects.toThrow(
      'servers.notes.credentials: Authorization is to come from the file /key, which cannot be read (ENOENT). Write it there, readable for the gate.',
    )
    await expect(open(needs, from({ env: 'KEY' }))).rejects.toThrow('the variable KEY, which is not there. Set it.')
    await expect(open(needs, from({ vault: 'KEY' }))).rejects.toThrow('portcullis secrets put KEY')
    needs.files.set('/key', '\n')
    await expect(open(needs, from({ file: '/key' }))).rejects.toThrow('which is empty')
    needs.files.set('/key', 'canary\nforged: yes')
    const refusal = await open(needs, from({ file: '/key' })).catch(String)
    expect(refusal).toContain('what a header cannot carry')
    expect(refusal).not.toContain('canary')
  })

  it('refused by the server, are looked for again: once they are others they are tried', async () => {
    const needs = credentialNeeds()
    needs.files.set('/key', 'one')
    const credential = await open(needs, from({ file: '/key' }))
    const first = credential.given(undefined) as Given
    expect(await credential.renewed?.(undefined, first, REFUSED)).toBeUndefined()
    needs.files.set('/key', 'two')
    const second = await credential.renewed?.(undefined, first, REFUSED)
    expect(second).toEqual({ headers: { authorization: 'Bearer two' } })
    expect(credential.given(undefined)).toBe(second)
  })

  it('that go missing later stay, and the log is told once, and when they are back', async () => {
    const needs = credentialNeeds()
    needs.files.set('/key', 'canary')
    const credential = await open(needs, from({ file: '/key' }))
    const given = credential.given(undefined) as Given
    needs.files.delete('/key')
    for (let times = 0; times < 3; times++) await credential.renewed?.(undefined, given, REFUSED)
    expect(credential.given(undefined)).toBe(given)
    needs.files.set('/key', 'canary')
    await credential.renewed?.(undefined, given, REFUSED)
    expect(needs.told).toEqual([
      expect.stringMatching(/cannot be read: the last one is used on.*"server":"notes".*\/key.*ENOENT/),
      expect.stringContaining('can be read again'),
    ])
    expect(needs.told.join()).not.toContain('canary')
  })

  it('are looked at again on a timer', async () => {
    const needs = credentialNeeds()
    needs.files.set('/key', 'one')
    const credential = await open(needs, { ...from({ file: '/key' }), reload: '1s' })
    needs.files.set('/key', 'two')
    await expect.poll(() => credential.given(undefined)).toEqual({ headers: { authorization: 'Bearer two' } })
  })
})

describe('query', () => {
  it('is encoded, so that it is one parameter', async () => {
    const credential = await open(credentialNeeds(), { type: 'query', parameter: 'api_key', value: 'a&b=c d/ü' })
    expect(credential.given(undefined)).toEqual({ headers: {}, query: 'api_key=a%26b%3Dc%20d%2F%C3%BC' })
  })

  it('comes from elsewhere, too', async () => {
    const needs = credentialNeeds()
    needs.env['KEY'] = 'k'
    const credential = await open(needs, { type: 'query', parameter: 'key', value: { env: 'KEY' } })
    expect(credential.given(undefined)).toEqual({ headers: {}, query: 'key=k' })
  })
})

describe('none', () => {
  it('gives nothing', async () => {
    expect((await open(credentialNeeds(), { type: 'none' })).given(undefined)).toEqual({ headers: {} })
  })
})

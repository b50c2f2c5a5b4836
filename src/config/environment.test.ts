import { describe, expect, it } from 'vitest'
import { isInjected, readEnvironment, readVariable, variableOf } from './environment.ts'
import { listSettings } from './settings.ts'

const files: Record<string, string> = { '/run/secret': 'from-file\n' }
const readFile = (path: string): string => {
  const text = files[path]
  if (text === undefined) throw Object.assign(new Error('no'), { code: 'ENOENT' })
  return text
}

describe('variables', () => {
  it.each([
    ['oauth.accessTokenTtl', 'PORTCULLIS_OAUTH_ACCESS_TOKEN_TTL'],
    ['server.listen', 'PORTCULLIS_SERVER_LISTEN'],
    ['servers', 'PORTCULLIS_SERVERS'],
  ])('of %s is %s', (path, name) => {
    expect(variableOf(path)).toBe(name)
  })

  it('are one a setting, and none is a name that Kubernetes injects', () => {
    const names = listSettings().map(({ path }) => variableOf(path))
    expect(names.length).toBeGreaterThan(40)
    expect(new Set(names).size).toBe(names.length)
    expect(names.filter(isInjected)).toEqual([])
  })

  it('reads a file and takes off its last line end', () => {
    expect(readVariable('X', { X_FILE: '/run/secret' }, readFile)).toEqual({ name: 'X_FILE', text: 'from-file' })
    expect(readVariable('X', { X: 'from-file', X_FILE: '/run/secret' }, readFile)).toEqual({
      name: 'X',
      text: 'from-file',
    })
  })

  it('refuses two sources that differ, and a file that cannot be read', () => {
    expect(readVariable('X', { X: 'other', X_FILE: '/run/secret' }, readFile)).toMatchObject({
      place: 'X and X_FILE',
      message: 'The two differ.',
    })
    expect(readVariable('X', { X_FILE: '/nowhere' }, readFile)).toMatchObject({ place: 'X_FILE' })
  })

  it('counts an empty one as not set', () => {
    expect(readVariable('X', { X: '', X_FILE: '' }, readFile)).toBeUndefined()
  })

  it('refuses an unknown one with a suggestion, and ignores injected ones', () => {
    const { problems } = readEnvironment(
      {
        PORTCULLIS_SERVER_LISTENN: 'x',
        PORTCULLIS_PORT: 'tcp://10.0.0.1:4444',
        PORTCULLIS_PORT_4444_TCP_ADDR: '10.0.0.1',
        PORTCULLIS_SERVICE_HOST: '10.0.0.1',
        PORTCULLIS_ADMIN_SERVICE_PORT_HTTP: '4444',
        PORTCULLIS_CONFIG: './x.yaml',
      },
      readFile,
    )
    expect(problems).toEqual([
      {
        place: 'PORTCULLIS_SERVER_LISTENN',
        message: 'There is no such variable.',
        remedy: 'Did you mean PORTCULLIS_SERVER_LISTEN?',
      },
    ])
  })
})

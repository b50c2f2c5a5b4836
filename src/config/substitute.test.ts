import { describe, expect, it } from 'vitest'
import { substitute } from './substitute.ts'

const env = { HOST: 'db.example', EMPTY: '', TRICK: '${HOST}' }

describe('substitute', () => {
  it.each([
    ['${HOST}', 'db.example'],
    ['postgres://${HOST}/x', 'postgres://db.example/x'],
    ['${NOPE, http://localhost:8080}', 'http://localhost:8080'],
    ['${NOPE:-azure}', 'azure'],
    ['${NOPE:-}', ''],
    ['${EMPTY:-x}', 'x'],
    ['${EMPTY}', ''],
    ['${HOST, other}', 'db.example'],
    ['$${HOST}', '${HOST}'],
    ['cost: $5', 'cost: $5'],
  ])('%s → %s', (written, text) => {
    expect(substitute(written, env)).toMatchObject({ text, missing: [] })
  })

  it('names what is missing and has no default', () => {
    expect(substitute('${NOPE}-${ALSO_NOT}-${HOST}', env).missing).toEqual(['NOPE', 'ALSO_NOT'])
  })

  it('reads a value once: what a variable holds is no reference', () => {
    expect(substitute('${TRICK}', env).text).toBe('${HOST}')
  })
})

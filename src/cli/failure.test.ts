import { describe, expect, it } from 'vitest'
import { OperatorError } from '../protocol/errors.ts'
import { failureText } from './failure.ts'

describe('failureText', () => {
  it('gives an operator the message alone', () => {
    expect(failureText(new OperatorError('Do this.', { cause: new Error('why') }), true)).toBe('Do this.\n')
  })

  it('keeps the stack of the unexpected for those who ask', () => {
    const error = new Error('it broke')
    expect(failureText(error, false)).toBe(
      'portcullis: unexpected error: it broke. Set PORTCULLIS_LOG_LEVEL=debug to see where.\n',
    )
    expect(failureText(error, true)).toContain('failure.test.ts')
  })
})

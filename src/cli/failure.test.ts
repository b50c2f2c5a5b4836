import { describe, expect, it } from 'vitest'
import { OperatorError, StoreUnavailable } from '../protocol/errors.ts'
import { failureText } from './failure.ts'

describe('failureText', () => {
  it('gives an operator the message alone', () => {
    expect(failureText(new OperatorError('Do this.', { cause: new Error('why') }), true)).toBe('Do this.\n')
  })

  it('tells an operator what to do about a store that fails after it was opened', () => {
    const error = new StoreUnavailable('The store cannot do this now: the disk is full.', {
      cause: new Error('ENOSPC'),
    })
    expect(failureText(error, false)).toMatch(
      /^The store cannot do this now: the disk is full\. store\.url .*start again/,
    )
    expect(failureText(error, true)).toContain('failure.test.ts')
  })

  it('keeps the stack of the unexpected for those who ask', () => {
    const error = new Error('it broke')
    expect(failureText(error, false)).toBe(
      'portcullis: unexpected error: it broke. Set PORTCULLIS_LOG_LEVEL=debug to see where.\n',
    )
    expect(failureText(error, true)).toContain('failure.test.ts')
  })
})

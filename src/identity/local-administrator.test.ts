import { describe, expect, it } from 'vitest'
import { OperatorError } from '../protocol/errors.ts'
import { checkLocalAdministrator } from './local-administrator.ts'

const GOOD = 'seven green bottles on a wall'
const check = (password: string | undefined, reachable = true) =>
  checkLocalAdministrator({ required: true, user: 'admin', password }, reachable)

describe('the administrator of the configuration', () => {
  it.each([
    ['ContextForge’s default', 'changeme'],
    ['none worth the name', ''],
    ['a short one', 'x7#kQ9!pLm2$'],
    ['a long one that everybody tries', 'admin-password-1234'],
    ['one that holds little but the name', 'admin admin admin 2026'],
  ])('does not start outside loopback with %s, and its password is not told', (_what, password) => {
    const start = () => check(password)
    expect(start).toThrow(OperatorError)
    expect(start).toThrow(/admin\.password \(BASIC_AUTH_PASSWORD\).*Set one of at least 15 characters/)
    if (password !== '') expect(start).not.toThrow(password)
    expect(() => check(password, false)).not.toThrow()
  })

  it('starts with a good one, and without any', () => {
    expect(() => check(GOOD)).not.toThrow()
    expect(() => check(undefined)).not.toThrow()
  })
})

import { describe, expect, it } from 'vitest'
import { CredentialFailed, UpstreamRefused } from '../upstreams/credential.ts'
import { refusalOf } from './fault.ts'

describe('whoever has no credential', () => {
  it.each([
    [new CredentialFailed('refused', 'canary'), 403, 'credential_failed'],
    [new CredentialFailed('unreachable', 'canary', { passing: true }), 503, 'credential_unavailable'],
    [new UpstreamRefused({ status: 401, challenge: undefined }), 502, 'upstream_unauthorized'],
  ])('is told the status and one sentence, and nothing of the cause', (error, status, reason) => {
    const told = refusalOf(error, 'request-1')
    expect(told).toMatchObject({ status, reason, data: { requestId: 'request-1' } })
    expect((told as Error).message).not.toContain('canary')
  })

  it('and other errors stay what they are', () => {
    const error = new TypeError('ours')
    expect(refusalOf(error, 'request-1')).toBe(error)
  })
})

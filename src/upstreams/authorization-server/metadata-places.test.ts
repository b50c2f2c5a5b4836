import { describe, expect, it } from 'vitest'
import { metadataPlaces } from './metadata-places.ts'

describe('RFC 8414 §3.1, OpenID Connect Discovery §4: places of the metadata', () => {
  it('with a path: inserted, inserted, appended', () => {
    expect(metadataPlaces(new URL('https://as.example/tenant/'))).toEqual([
      'https://as.example/.well-known/oauth-authorization-server/tenant',
      'https://as.example/.well-known/openid-configuration/tenant',
      'https://as.example/tenant/.well-known/openid-configuration',
    ])
  })
  it('without one, two', () => {
    expect(metadataPlaces(new URL('https://as.example'))).toEqual([
      'https://as.example/.well-known/oauth-authorization-server',
      'https://as.example/.well-known/openid-configuration',
    ])
  })
})

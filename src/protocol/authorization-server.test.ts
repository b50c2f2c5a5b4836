import { describe, expect, it } from 'vitest'
import { authorizationServerMetadata } from './authorization-server.ts'

const facts = {
  issuer: 'https://gate.example',
  scopes: ['mcp:tools', 'openid'],
  registration: true,
  metadataDocuments: true,
}

describe('RFC 8414 §2', () => {
  it('names the issuer byte for byte and every endpoint below it', () => {
    const metadata = authorizationServerMetadata(facts)
    expect(metadata.issuer).toBe('https://gate.example')
    for (const [name, value] of Object.entries(metadata))
      if (/_endpoint$|_uri$/.test(name)) expect(value).toMatch(/^https:\/\/gate\.example\/[a-z.]/)
  })

  it('promises only what is done', () => {
    const metadata = authorizationServerMetadata(facts)
    expect(metadata.response_types_supported).toEqual(['code'])
    expect(metadata.response_modes_supported).toEqual(['query'])
    expect(metadata.grant_types_supported).toEqual(['authorization_code', 'refresh_token'])
    expect(metadata.code_challenge_methods_supported).toEqual(['S256'])
    expect(metadata.token_endpoint_auth_methods_supported).toContain('none')
    expect(metadata.authorization_response_iss_parameter_supported).toBe(true)
  })

  it('leaves out what is closed', () => {
    const closed = authorizationServerMetadata({ ...facts, registration: false, metadataDocuments: false })
    expect(closed).not.toHaveProperty('registration_endpoint')
    expect(closed.client_id_metadata_document_supported).toBe(false)
  })
})

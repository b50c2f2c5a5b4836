// Keys of other issuers that cannot be used: the gate refuses to start, or to believe, and says which setting and what to do.
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand, startCommand, writeConfig } from '../support/cli.ts'
import { signedBy, signingKey } from '../support/issuer.ts'
import { listTools } from '../support/mcp.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-keys-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const PEM = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const written = (name: string, text: string): string => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

describe('a file of keys', () => {
  it.each([
    [
      'that is not there',
      () => join(folder, 'nothing.pem'),
      /jwksFile of forge[\s\S]*cannot be read[\s\S]*Check its path/,
    ],
    ['with PEM that is cut short', () => written('short.pem', PEM.slice(0, -30)), /PEM is cut short/],
    [
      'with a private key',
      () => written('private.pem', pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
      /private key; write the public one/,
    ],
    ['with no key set', () => written('none.json', '{"jwks":[]}'), /no JWK Set/],
    ['with a shared key', () => written('oct.json', '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}'), /symmetric/],
  ])('%s ends the start with the setting and the remedy', async (_what, file, why) => {
    const { folder: cwd, configFile } = await writeConfig({
      auth: { issuers: [{ issuer: 'forge', jwksFile: file() }] },
    })
    const ended = await runCommand(['serve', '--config', configFile], { cwd })
    expect(ended.code).not.toBe(0)
    expect(ended.stderr).toMatch(/auth\.issuers: jwks/)
    expect(ended.stderr).toMatch(why)
    expect(ended.stderr).not.toMatch(/\n\s+at /)
    expect(ended.stderr).not.toContain('PRIVATE')
    rmSync(cwd, { recursive: true, force: true })
  })

  it('with a sound key, by ContextForge’s variable, opens the door to what that key signed', async () => {
    const {
      folder: cwd,
      configFile,
      url,
    } = await writeConfig({
      servers: [{ id: 'notes', url: 'http://127.0.0.1:1/mcp' }],
      policy: { rules: [{ allow: ['*/*'], to: ['*'] }] },
    })
    const env = { JWT_PUBLIC_KEY_PATH: written('sound.pem', PEM), JWT_ALGORITHM: 'ES256' }
    const command = startCommand(['serve', '--config', configFile], { cwd, env })
    await command.says(/is ready/)
    const claims = {
      iss: 'mcpgateway',
      aud: 'mcpgateway-api',
      sub: 'admin@example.com',
      exp: Math.floor(Date.now() / 1000) + 60,
    }
    const key = { ...signingKey(), ...pair }
    const knock = async (token: string) => (await listTools(`${url}/servers/notes/mcp`, token)).status
    // Nothing listens behind: that the gate tried is what a good token gets.
    expect(await knock(signedBy(key, { kid: undefined }, claims))).not.toBe(401)
    expect(await knock(signedBy(signingKey(), { kid: undefined }, claims))).toBe(401)
    expect(await knock(signedBy(key, { kid: undefined }, { ...claims, aud: 'other' }))).toBe(401)
    await command.stop()
    rmSync(cwd, { recursive: true, force: true })
  })
})

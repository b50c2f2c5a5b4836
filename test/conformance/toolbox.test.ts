// The quickstart's own server, asked by the official client in both eras.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startToolbox, type Toolbox } from '../../examples/quickstart/toolbox.ts'

let toolbox: Toolbox
beforeAll(async () => {
  toolbox = await startToolbox()
})
afterAll(() => toolbox.close())

async function connect(mode: 'auto' | 'legacy'): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  const headers = { 'X-Forwarded-User': 'ann@example.com', Authorization: 'Bearer for-the-server-only' }
  await client.connect(new StreamableHTTPClientTransport(new URL(toolbox.url), { requestInit: { headers } }))
  return client
}

describe.each(['auto', 'legacy'] as const)('negotiated %s', (mode) => {
  let client: Client
  beforeAll(async () => {
    client = await connect(mode)
  })
  afterAll(() => client.close())
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    const { content, isError = false } = await client.callTool({ name, arguments: args })
    return { isError, text: content[0]?.type === 'text' ? content[0].text : '' }
  }

  it('shows what arrived, and of a credential only that it did', async () => {
    const { text } = await call('get_request_headers')
    expect(JSON.parse(text)).toMatchObject({
      'x-forwarded-user': 'ann@example.com',
      authorization: 'Bearer (19 characters)',
    })
    expect(text).not.toContain('for-the-server-only')
    expect(await call('get_header', { name: 'X-Forwarded-User' })).toMatchObject({ text: 'ann@example.com' })
    expect(await call('get_header', { name: 'authorization' })).toMatchObject({ text: 'Bearer (19 characters)' })
    expect(await call('get_header', { name: 'x-none' })).toMatchObject({ text: 'No header x-none arrived.' })
  })

  it('knows the time in every zone it lists, and in no other', async () => {
    const { contents } = await client.readResource({ uri: 'toolbox://time-zones' })
    expect(contents[0]).toMatchObject({ text: expect.stringContaining('Asia/Tokyo') })
    expect(await call('get_time', { zone: 'Asia/Tokyo' })).toMatchObject({
      isError: false,
      text: expect.stringContaining('GMT+9'),
    })
    expect(await call('get_time', { zone: 'Mars/Olympus' })).toMatchObject({ isError: true })
  })

  it.each([
    [100, 'F', 'C', '37.77777778'],
    [0, 'K', 'F', '-459.67'],
    [26.2, 'mi', 'km', '42.1648128'],
    [1, 'GiB', 'MB', '1073.741824'],
  ])('converts %d %s to %s', async (value, from, to, converted) => {
    expect(await call('convert_units', { value, from, to })).toEqual({
      isError: false,
      text: `${value} ${from} = ${converted} ${to}`,
    })
  })

  it('does not convert weight to length', async () => {
    expect(await call('convert_units', { value: 1, from: 'kg', to: 'm' })).toMatchObject({ isError: true })
  })

  it('offers its prompt', async () => {
    expect((await client.listPrompts()).prompts.map(({ name }) => name)).toEqual(['who_am_i_here'])
    expect(await client.getPrompt({ name: 'who_am_i_here' })).toMatchObject({ messages: [{ role: 'user' }] })
  })
})

it('refuses a page from elsewhere', async () => {
  const asked = await fetch(toolbox.url, { method: 'POST', headers: { Origin: 'https://elsewhere.example' } })
  expect(asked.status).toBe(403)
})

// Every head carries the id of its request, however it is written.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { IdentifiedResponse, identify } from './identified.ts'

async function headOf(write: (res: ServerResponse) => void, plain = false) {
  const server = createServer(plain ? {} : { ServerResponse: IdentifiedResponse }, (_, res) => {
    identify(res, 'request-1')
    write(res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { headers, status, statusText } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  server.close()
  server.closeAllConnections()
  return [status, statusText, headers.get('x-request-id'), headers.get('a'), headers.get('b')]
}

it.each<[string, (res: ServerResponse) => void]>([
  ['a list', (res) => res.writeHead(201, ['a', '1', 'b', '2']).end()],
  ['an object', (res) => res.writeHead(201, { a: '1', b: '2' }).end()],
  ['fields set before, and a list', (res) => res.setHeader('a', '1').writeHead(201, ['b', '2']).end()],
  ['a reason and an object', (res) => res.writeHead(201, 'Created', { a: '1', b: '2' }).end()],
  [
    'nobody: the end of the answer',
    (res) => {
      res.statusCode = 201
      res.setHeader('a', '1').setHeader('b', '2').end()
    },
  ],
])('written by %s', async (_, write) => {
  const whole = [201, 'Created', 'request-1', '1', '2']
  expect(await headOf(write)).toEqual(whole)
  expect(await headOf(write, true)).toEqual(whole)
})

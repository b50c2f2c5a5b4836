import { expect, it } from 'vitest'
import { cluster, clusterWarnings } from './cluster.ts'

it.each([
  [{}],
  [{ advertise: 'http://10.0.3.7:4446' }],
  [{ advertise: 'http://gate-1.gates:4446/', listen: '0.0.0.0:4446' }],
  [{ advertise: 'http://[fd00::7]:4446', listen: '[::]:4446' }],
])('takes %j', (config) => {
  expect(cluster.parse(config)).toEqual(config)
})

it.each([
  [{ advertise: 'https://10.0.3.7:4446' }, /advertise/],
  [{ advertise: '10.0.3.7:4446' }, /advertise/],
  [{ advertise: 'http://10.0.3.7:4446/hop' }, /nothing behind it/],
  [{ advertise: 'http://ann:secret@10.0.3.7:4446' }, /nothing behind it/],
  [{ advertise: 'http://10.0.3.7:4446', listen: 'ten:4446:x' }, /HOST:PORT/],
  [{ listen: '0.0.0.0:4446' }, /without `advertise`/],
])('refuses %j', (config, why) => {
  expect(cluster.safeParse(config).error?.message).toMatch(why)
})

it('warns of replicas without a store that they could share', () => {
  const advertised = { advertise: 'http://10.0.3.7:4446' }
  expect(clusterWarnings({ cluster: advertised, store: { url: 'sqlite:./gate.db' } })).toEqual([
    expect.stringMatching(/cluster\.advertise.*store\.url is SQLite.*postgres/),
  ])
  expect(clusterWarnings({ cluster: advertised, store: { url: 'postgres://db.example/gate' } })).toEqual([])
  expect(clusterWarnings({ cluster: {}, store: { url: 'sqlite:./gate.db' } })).toEqual([])
})

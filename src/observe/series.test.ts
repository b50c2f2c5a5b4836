// Prometheus exposition format 0.0.4.
import { expect, it } from 'vitest'
import { counter, exposition, gauge, histogram } from './series.ts'

it('writes what was counted, label by label, and what a name may not break out of', () => {
  const plain = counter('plain_total', 'No labels.')
  const labelled = counter('labelled_total', 'Two labels.', ['who', 'status'])
  plain.count += 2
  labelled.at('ann').at(200).count += 1
  labelled.at('ann').at(200).count += 1
  labelled.at('"\\\n').at(404).count += 1
  expect(exposition([plain, labelled])).toBe(
    `# HELP plain_total No labels.
# TYPE plain_total counter
plain_total 2

# HELP labelled_total Two labels.
# TYPE labelled_total counter
labelled_total{who="ann",status="200"} 2
labelled_total{who="\\"\\\\\\n",status="404"} 1
`,
  )
})

it('is there before anything happened where there is no label to know, and not before where there is one', () => {
  expect(counter('none_total', 'None.').text()).toContain('\nnone_total 0\n')
  expect(counter('some_total', 'Some.', ['kind']).text()).toBe('# HELP some_total Some.\n# TYPE some_total counter\n')
  expect(histogram('seconds', 'Time.', [1]).text()).toContain('\nseconds_count 0\n')
  expect(histogram('seconds', 'Time.', [1], 'door').text()).not.toContain('seconds_count')
})

it('sums buckets up, the bound itself included, and keeps what is above all bounds', () => {
  const times = histogram('seconds', 'Time.', [0.5, 1], 'door')
  for (const amount of [0.5, 0.6, 1, 7]) times.observe(amount, 'mcp')
  expect(times.text().split('\n').slice(2, -1)).toEqual([
    'seconds_bucket{le="0.5",door="mcp"} 1',
    'seconds_bucket{le="1",door="mcp"} 3',
    'seconds_bucket{le="+Inf",door="mcp"} 4',
    'seconds_sum{door="mcp"} 9.1',
    'seconds_count{door="mcp"} 4',
  ])
})

it('reads a gauge when it is asked', () => {
  let open = 1
  const streams = gauge('open', 'Open.', () => open)
  open = 5
  expect(streams.text()).toBe('# HELP open Open.\n# TYPE open gauge\nopen 5\n')
})

// The process in numbers, under Prometheus' usual names. Read at a scrape only: nothing samples in between.
import { readdirSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { type Family, gauge } from './series.ts'

export function processFamilies(): Family[] {
  const started = performance.timeOrigin / 1000
  return [
    gauge('process_start_time_seconds', 'Start of the process, in seconds since the epoch.', () => started),
    gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss()),
    gauge('nodejs_heap_size_used_bytes', 'Heap in use.', () => process.memoryUsage().heapUsed),
    gauge('nodejs_eventloop_utilization', 'Share of its life that the event loop was busy.', eventLoopShare()),
    ...(process.platform === 'linux' ? [gauge('process_open_fds', 'Open file descriptors.', openFiles)] : []),
    gauge('process_cpu_seconds_total', 'CPU time, user and system.', cpuSeconds, 'counter'),
  ]
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Between two scrapes. */
function eventLoopShare(): () => number {
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    // Without /proc the number is unknown, which is no reason to answer no numbers at all.
    return Number.NaN
  }
}

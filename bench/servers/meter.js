// Preloaded into a measured process (`node --import`): answers the CPU time of all its threads, and its memory, when asked.
// Plain JavaScript: a TypeScript preload would bring the type stripper's 25 MB into every process that is weighed.
process.on('message', (message) => {
  if (message !== 'usage') return
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system, rss: process.memoryUsage.rss() })
})
// Being measurable must not keep the process alive.
process.channel?.unref()

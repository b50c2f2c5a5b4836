// An MCP server on stdio that misbehaves on request: each tool is one way to hurt the process that reads it.
import { spawn } from 'node:child_process'
import { openSync, readdirSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const text = (id, value) => send({ id, result: { content: [{ type: 'text', text: value }] } })

/** id of the last call that waits on purpose. */
let held

const tools = {
  echo: (id, args) => text(id, JSON.stringify(args)),
  env: (id) => text(id, JSON.stringify(process.env)),
  pid: (id) => text(id, String(process.pid)),
  argv: (id) => text(id, JSON.stringify(process.argv.slice(2))),
  cwd: (id) => text(id, process.cwd()),
  write: (id, args) =>
    text(
      id,
      JSON.stringify(
        args.files.map((file) => {
          try {
            writeFileSync(file, 'x')
            return 'written'
          } catch (error) {
            return error.code
          }
        }),
      ),
    ),
  list: (id, args) => text(id, JSON.stringify(readdirSync(args.folder))),
  /** Holds as much memory as it gets, up to what it is asked for. */
  hog: (id, args) => {
    const held = []
    for (let at = 0; at < args.megabytes; at += 16) held.push(Buffer.alloc(16 * 1024 * 1024, 1))
    text(id, `held ${held.length * 16} MB`)
  },
  files: (id, args) => {
    for (let at = 0; at < args.count; at += 1) openSync('/dev/null', 'r')
    text(id, 'opened')
  },
  spin: () => {
    for (;;);
  },
  /** Bounded: so many at most, each of which sleeps. */
  fork: (id, args) => {
    const start = () => {
      const child = spawn('sleep', [args.nap], { stdio: 'ignore' })
      return new Promise((resolve) => {
        child.once('spawn', () => resolve('started'))
        child.once('error', () => resolve('refused'))
      })
    }
    void Promise.all(Array.from({ length: args.count }, start)).then((outcomes) => text(id, JSON.stringify(outcomes)))
  },
  /** Leaves its process group, and keeps the pipes. */
  escape: (id) =>
    text(
      id,
      String(spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit', detached: true }).pid),
    ),
  id: (id) => text(id, JSON.stringify(id)),
  hold: (id) => {
    held = id
  },
  huge: (id) => text(id, 'x'.repeat(50 * 1024 * 1024)),
  newline: (id) => process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":{"content":"first\nsecond"}}\n`),
  forge: (id, args) => {
    process.stdout.write(`junk\n${args.line}\n`)
    text(id, 'forged')
  },
  flood: (id, args) => {
    for (let line = 0; line < 20_000; line += 1) process.stderr.write(`noise ${line} ${args.secret ?? ''}\n`)
    text(id, 'flooded')
  },
  exit: () => process.exit(3),
  lastwords: (id) =>
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: 'last words' })}\n`, () => process.exit(0)),
  stubborn: (id) => {
    process.on('SIGTERM', () => {})
    process.stdin.resume()
    setInterval(() => {}, 1000)
    text(id, 'never')
  },
  family: (id) =>
    text(id, String(spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' }).pid)),
  neither: (id) => send({ id }),
  progress: (id, _args, meta) => {
    send({ method: 'notifications/progress', params: { progressToken: meta?.progressToken, progress: 1 } })
    send({ method: 'notifications/progress', params: { progressToken: 'of nobody', progress: 2 } })
    text(id, JSON.stringify(meta ?? null))
  },
  ask: (id) => {
    send({ id: 'p', method: 'ping' })
    send({ id: 's', method: 'sampling/createMessage', params: {} })
    held = id
  },
  changed: (id) => {
    send({ method: 'notifications/tools/list_changed' })
    text(id, 'told')
  },
  batch: (id) =>
    process.stdout.write(
      `${JSON.stringify([
        { jsonrpc: '2.0', method: 'notifications/tools/list_changed' },
        { jsonrpc: '2.0', id, result: 'batched' },
      ])}\n`,
    ),
}

const answers = []
let initialized = 0
createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line)
  if (message.method === 'initialize') {
    if (process.argv[2] === 'silent') return
    const protocolVersion = process.argv[2] === 'revision' ? '1999-01-01' : '2025-11-25'
    send({
      id: message.id,
      result: { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'nasty', version: '1' } },
    })
  } else if (message.method === 'tools/list') {
    send({
      id: message.id,
      result: { tools: Object.keys(tools).map((name) => ({ name, inputSchema: { type: 'object' } })) },
    })
  } else if (message.method === 'tools/call') {
    tools[message.params.name](message.id, message.params.arguments, message.params._meta)
  } else if (message.method === 'notifications/cancelled') {
    send({ method: 'notifications/test/cancelled', params: { known: message.params.requestId === held } })
  } else if (message.method === undefined) {
    answers.push(message)
    if (answers.length === 2) text(held, JSON.stringify(answers))
  } else if (message.method === 'notifications/initialized' && initialized++ === 0) {
    // The one that is due.
  } else if (message.id === undefined) send({ method: 'notifications/test/heard', params: { method: message.method } })
})

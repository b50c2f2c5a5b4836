// The rows of the matrix: four servers that others wrote, and our fixture on every wire there is.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConfigInput } from '../../src/config/schema.ts'
import { LINK, WATCHED } from '../support/fixture/whole.ts'
import { filesystemServer, memoryServer, startEverything, thinkingServer } from '../support/upstream.ts'
import {
  startWholeLegacy,
  startWholeModern,
  startWholeSocket,
  startWholeSse,
  type WholeServer,
} from '../support/whole-servers.ts'
import type { Asks } from './features.ts'

export interface Row {
  readonly name: string
  readonly config: NonNullable<ConfigInput['servers']>[number]
  readonly asks: Asks
}

const ELICITED = { prompt: 'Capital of France?' }

const EVERYTHING: Asks = {
  tools: 'echo',
  call: { name: 'echo', args: { message: 'through the gate' }, says: 'Echo: through the gate' },
  prompts: 'args-prompt',
  prompt: { name: 'args-prompt', args: { city: 'Rome' }, says: 'Rome' },
  resources: 'demo://resource/static/document/architecture.md',
  read: { uri: 'demo://resource/static/document/architecture.md', says: 'Everything' },
  templates: 'demo://resource/dynamic/text/{resourceId}',
  completion: { prompt: 'completable-prompt', argument: 'department', start: 'E', says: 'Engineering' },
  progress: { name: 'trigger-long-running-operation', args: { duration: 0.3, steps: 3 } },
  logging: { name: 'toggle-simulated-logging' },
  updated: {
    uri: 'demo://resource/static/document/architecture.md',
    name: 'toggle-subscriber-updates',
    after: { name: 'toggle-subscriber-updates' },
  },
  form: { name: 'trigger-elicitation-request', says: 'Ann' },
  link: {
    name: 'trigger-url-elicitation',
    args: { url: LINK, message: 'Look there.' },
    says: 'User completed the URL elicitation flow',
  },
  sampling: { name: 'trigger-sampling-request', args: ELICITED, says: 'Paris' },
  roots: { name: 'get-roots-list', says: 'file:///home/ann/notes' },
  ping: true,
}

const whole = ({ waits }: WholeServer): Asks => ({
  tools: 'test_simple_text',
  call: { name: 'test_simple_text', says: 'simple text' },
  prompts: 'test_simple_prompt',
  prompt: { name: 'test_prompt_with_arguments', args: { arg1: 'one', arg2: 'two' }, says: "arg1='one'" },
  resources: 'test://static-text',
  read: { uri: 'test://static-text', says: 'static text resource' },
  templates: 'test://template/{id}/data',
  completion: { prompt: 'test_prompt_with_arguments', argument: 'arg1', start: 'part', says: 'party' },
  pages: WATCHED,
  progress: { name: 'test_tool_with_progress' },
  cancel: { name: 'test_wait', waits: waits.begun, ended: waits.cancelled },
  logging: { name: 'test_logging_tool' },
  updated: { uri: WATCHED, name: 'test_touch' },
  changed: { name: 'test_trigger_tool_change' },
  form: { name: 'test_input_required_result_elicitation', says: 'Hello, Ann!' },
  link: { name: 'test_link', says: 'accept' },
  sampling: { name: 'test_sampling', args: ELICITED, says: 'Paris' },
  roots: { name: 'test_input_required_result_list_roots', says: 'file:///home/ann/notes' },
  ping: true,
})

/** Processes end with the gateway; the others are closed. */
export async function startRows(folder: string): Promise<{ rows: readonly Row[]; close(): Promise<unknown> }> {
  writeFileSync(join(folder, 'hello.txt'), 'hello from the disk')
  const [everything, modern, legacy, sse, socket] = await Promise.all([
    startEverything(),
    startWholeModern(),
    startWholeLegacy(),
    startWholeSse(),
    startWholeSocket(),
  ])
  const rows: readonly Row[] = [
    { name: 'server-everything', config: { id: 'everything', url: everything.url }, asks: EVERYTHING },
    {
      name: 'server-filesystem (stdio)',
      config: filesystemServer('files', folder),
      asks: {
        tools: 'read_text_file',
        call: { name: 'read_text_file', args: { path: join(folder, 'hello.txt') }, says: 'hello from the disk' },
        ping: true,
      },
    },
    {
      name: 'server-memory (stdio)',
      config: memoryServer('memory', join(folder, 'memory.jsonl')),
      asks: { tools: 'read_graph', call: { name: 'read_graph', says: 'entities' }, ping: true },
    },
    {
      name: 'server-sequential-thinking (stdio)',
      config: thinkingServer('thinking'),
      asks: {
        tools: 'sequentialthinking',
        call: {
          name: 'sequentialthinking',
          args: { thought: 'so', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
          says: 'thoughtNumber',
        },
        ping: true,
      },
    },
    { name: 'fixture of 2026-07-28', config: { id: 'modern', url: modern.url }, asks: whole(modern) },
    { name: 'fixture of 2025-11-25', config: { id: 'legacy', url: legacy.url }, asks: whole(legacy) },
    {
      name: 'fixture over HTTP+SSE',
      config: { id: 'sse', url: sse.url, transport: 'sse', instances: 'per-principal' },
      asks: whole(sse),
    },
    {
      name: 'fixture over WebSocket',
      config: { id: 'socket', url: socket.url, instances: 'per-principal' },
      asks: whole(socket),
    },
  ]
  const close = () => Promise.all([everything.stop(), ...[modern, legacy, sse, socket].map((own) => own.close())])
  return { rows, close }
}

// Tools as their servers define them: approved, and last seen.
import type { TextType } from './text.ts'

export const toolPins = (text: TextType): string[] => [
  `create table tool_pins (
    server ${text} not null,
    tool ${text} not null,
    pinned ${text},
    pinned_text ${text},
    seen ${text} not null,
    seen_text ${text} not null,
    seen_at bigint not null,
    primary key (server, tool)
  )`,
  `create table seen_servers (server ${text} primary key, seen_at bigint not null)`,
  "insert into epochs (name, n) values ('tool_pins', 0)",
]

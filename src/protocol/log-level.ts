// How severe a log message is, from the least on: RFC 5424 §6.2.1, MCP 2025-11-25, Logging.
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

export const isLogLevel = (level: unknown): level is string => typeof level === 'string' && LEVELS.includes(level)

export const isAtLeast = (level: unknown, least: string): boolean =>
  isLogLevel(level) && LEVELS.indexOf(level) >= LEVELS.indexOf(least)

// Ids of the record are times: UUIDv7 (RFC 9562 §5.7).

/** The least id of a moment, in milliseconds since the epoch. */
export function leastIdOf(moment: number): string {
  const hex = Math.max(0, Math.floor(moment)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}

// What JSON.parse leaves open: is this value an object with members?

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The object that a text says; `undefined` where it is no JSON, or none with members. */
export function parseRecord(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    // Not told on: the parser's own message quotes the text, which may hold a secret.
    return undefined
  }
}

// How much in how long, as people write it: `120/min`, `5000/day`.

const WINDOWS = { s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000, day: 86_400_000 } as const

export interface Rate {
  readonly most: number
  /** Milliseconds. */
  readonly window: number
}

export const RATE = /^[1-9]\d{0,8}\/(?:s|min|h|d|day)$/
export const RATE_FORM = 'Write a number and a time, such as 120/min.'

/** Of text that `RATE` matches. */
export function parseRate(text: string): Rate {
  const [count = '', unit = ''] = text.split('/')
  return { most: Number(count), window: WINDOWS[unit as keyof typeof WINDOWS] }
}

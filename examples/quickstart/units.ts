// Units and what one of each is in the first unit of its kind.

const KINDS = {
  Length: { m: 1, km: 1000, cm: 0.01, mm: 0.001, in: 0.0254, ft: 0.3048, yd: 0.9144, mi: 1609.344 },
  Weight: { kg: 1, g: 0.001, t: 1000, oz: 0.028349523125, lb: 0.45359237 },
  Volume: { l: 1, ml: 0.001, m3: 1000, gal: 3.785411784, floz: 0.0295735295625 },
  Data: { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 },
  Temperature: { C: 1, F: 5 / 9, K: 1 },
} as const

type Kinds = typeof KINDS
export type Unit = { [Kind in keyof Kinds]: keyof Kinds[Kind] }[keyof Kinds]

export const UNITS = Object.fromEntries(
  Object.entries(KINDS).flatMap(([kind, units]) => Object.entries(units).map(([unit, size]) => [unit, { kind, size }])),
) as Record<Unit, { kind: string; size: number }>

/** Where the scales of temperature have their zero, in degrees Celsius. */
const ZERO: Partial<Record<Unit, number>> = { F: -160 / 9, K: -273.15 }

/** Ten significant digits; nothing when the two units are of different kinds. */
export function convertUnits(value: number, from: Unit, to: Unit): number | undefined {
  if (UNITS[from].kind !== UNITS[to].kind) return undefined
  const base = value * UNITS[from].size + (ZERO[from] ?? 0)
  return Number(((base - (ZERO[to] ?? 0)) / UNITS[to].size).toPrecision(10))
}

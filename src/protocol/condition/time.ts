// Parts of a point in time, in UTC or in the time zone that a condition names (CEL language definition, Time Zones).
import { celError } from '@bufbuild/cel'

const OFFSET = /^([+-]?)(\d\d):(\d\d)$/
const MINUTE = 60_000

/** Method of a timestamp → the part, read from a date whose UTC is the wall clock of the zone. */
export const TIME_PARTS: Readonly<Record<string, (wall: Date) => number>> = {
  getFullYear: (wall) => wall.getUTCFullYear(),
  getMonth: (wall) => wall.getUTCMonth(),
  getDate: (wall) => wall.getUTCDate(),
  getDayOfMonth: (wall) => wall.getUTCDate() - 1,
  getDayOfWeek: (wall) => wall.getUTCDay(),
  getDayOfYear: (wall) =>
    (Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate()) - Date.UTC(wall.getUTCFullYear(), 0, 1)) /
    (24 * 60 * MINUTE),
  getHours: (wall) => wall.getUTCHours(),
  getMinutes: (wall) => wall.getUTCMinutes(),
  getSeconds: (wall) => wall.getUTCSeconds(),
  getMilliseconds: (wall) => wall.getUTCMilliseconds(),
}

/** Zones come from the rules alone, so there are few. */
const clocks = new Map<string, Intl.DateTimeFormat>()

/** Throws RangeError for a zone that there is not. */
export function wallClock(at: number, zone: string | undefined): Date {
  if (zone === undefined || zone === 'UTC') return new Date(at)
  const [, sign, hours, minutes] = OFFSET.exec(zone) ?? []
  if (hours === undefined || minutes === undefined) return namedZone(at, zone)
  const offset = (Number(hours) * 60 + Number(minutes)) * MINUTE
  return new Date(sign === '-' ? at - offset : at + offset)
}

function namedZone(at: number, zone: string): Date {
  const clock = clocks.get(zone) ?? clockOf(zone)
  clocks.set(zone, clock)
  const part = new Map(clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
  const [year, month, day] = [part.get('year'), part.get('month'), part.get('day')]
  if (year === undefined || month === undefined || day === undefined) throw celError(`no date in ${zone}`)
  const [hour, minute, second] = [part.get('hour') ?? 0, part.get('minute') ?? 0, part.get('second') ?? 0]
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second, ((at % 1000) + 1000) % 1000))
}

const clockOf = (timeZone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })

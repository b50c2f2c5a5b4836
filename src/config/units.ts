// Units people write in a configuration: `10m`, `1mb`. Parsed once; below this line durations are milliseconds, sizes bytes.
import { z } from 'zod'

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const BYTES = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 } as const

const written = z.union([z.string(), z.number()])
const toMilliseconds = (value: string | number, context: z.core.$RefinementCtx<string | number>): number => {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(String(value).trim())
  if (match) return Math.round(Number(match[1]) * MILLISECONDS[(match[2] ?? 's') as keyof typeof MILLISECONDS])
  context.addIssue({ code: 'custom', message: `Not a duration: ${value}. Write 500ms, 30s, 10m, 8h or 30d.` })
  return z.NEVER
}

/** `500ms`, `30s`, `10m`, `8h`, `30d`; a bare number is seconds. Output: milliseconds. */
export const duration = (preset: string) => written.default(preset).transform(toMilliseconds).meta({ unit: 'duration' })

export const optionalDuration = () => written.transform(toMilliseconds).meta({ unit: 'duration' }).optional()

/** `512kb`, `1mb`; a bare number is bytes. Output: bytes. */
export const size = (preset: string) =>
  z
    .union([z.string(), z.number()])
    .default(preset)
    .transform((value, context) => {
      const match = /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb)?$/i.exec(String(value).trim())
      if (!match) {
        context.addIssue({ code: 'custom', message: `Not a size: ${value}. Write 512kb or 1mb.` })
        return z.NEVER
      }
      return Math.round(Number(match[1]) * BYTES[(match[2] ?? 'b').toLowerCase() as keyof typeof BYTES])
    })
    .meta({ unit: 'size' })

/** A header field's name (RFC 9110 §5.1). */
export const fieldName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, 'Not a header name (RFC 9110 §5.1).')

/** A list in which no two entries may carry the same `key`: the second would silently win or lose. */
export const unique =
  <Key extends string>(key: Key, noun: string) =>
  (context: {
    value: readonly { readonly [K in Key]?: string | undefined }[]
    issues: z.core.$ZodRawIssue[]
  }): void => {
    const seen = new Set<string>()
    context.value.forEach((entry, index) => {
      const name = entry[key]
      if (name === undefined) return
      if (seen.has(name))
        context.issues.push({
          code: 'custom',
          message: `Two ${noun} are called ${name}.`,
          input: name,
          path: [index, key],
        })
      seen.add(name)
    })
  }

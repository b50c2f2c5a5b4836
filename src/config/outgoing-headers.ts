// Header fields that the operator has us send: to servers, and to decision points.
import { z } from 'zod'
import { fieldName } from './units.ts'

/** RFC 9110 §7.6.1 and RFC 9112 §6: where a message ends and whom it is for is the connection's business. */
const FRAMING = [
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

export const headerName = fieldName.refine(
  (name) => !FRAMING.includes(name.toLowerCase()),
  'This header frames the message and cannot be set.',
)

/** RFC 9110 §5.5: the connection would refuse anything else, at the first call. */
export const headerValue = z
  .string()
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'A header value has no line break and no control character.')

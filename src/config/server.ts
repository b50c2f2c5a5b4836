// Where the gate listens and what it is called from outside.
import { z } from 'zod'
import { trustedProxy } from './address-range.ts'
import { parseListen, parseSocketPath } from './listen.ts'
import { duration, size } from './units.ts'

const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text.replace(/\/$/, '')

/** Compared letter by letter with the `Origin` header (RFC 6454 §6.2): another spelling would match nothing. */
function isAllowedOrigin(text: string): boolean {
  if (text === '*' || text === 'loopback') return true
  // Apps in a web view have a scheme of their own, whose origin URL parsers call `null`.
  return /^https?:/i.test(text) ? URL.parse(text)?.origin === text : /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#]+$/.test(text)
}

export const server = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    // RFC 8414 §2: an issuer has no query and no fragment. Nor a path here: every address of ours starts at the root.
    .refine((text) => isOrigin(text), 'Write scheme, host and port only, such as https://mcp.example.com.')
    .optional()
    .describe(
      'Issuer and base of every resource, as people type it; never derived from a request. Default: `http://localhost:PORT` of `listen`, `https` with `tls`.',
    ),
  listen: z
    .string()
    .refine(
      (text) => parseListen(text) !== undefined || parseSocketPath(text) !== undefined,
      'Write HOST:PORT, such as 127.0.0.1:4444 or 0.0.0.0:4444, or unix:/path of a socket file (at most 107 bytes).',
    )
    .default('127.0.0.1:4444')
    .describe(
      '`host:port` to listen on; port 0 takes a free one. `unix:/path`: a socket file for its owner and group (mode 0660).',
    ),
  trustedProxies: z
    .array(trustedProxy)
    .default([])
    .describe(
      'Whose X-Forwarded-* and identity headers count: CIDR ranges, `unix` for the unix socket, `certificate:NAME` for a proxy with that name in its client certificate.',
    ),
  tls: z
    .strictObject({
      cert: z.string().describe('PEM file of our certificate and its chain; read again when it changes.'),
      key: z.string().describe('PEM file of its private key.'),
      clientCa: z.string().optional().describe('PEM file of the authorities that sign client certificates.'),
      clientCert: z
        .enum(['none', 'optional', 'required'])
        .default('none')
        .describe(
          'Ask clients for a certificate; `required` serves nobody without one. A bad one is refused in any case.',
        ),
      crl: z
        .string()
        .optional()
        .describe(
          'PEM file of revoked client certificates, one list for each authority of a chain; read again when it changes.',
        ),
      minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('Oldest protocol version.'),
    })
    .optional()
    .describe('HTTPS in the gate itself. Default: plain HTTP, behind something that ends TLS.'),
  allowedOrigins: z
    .array(
      z
        .string()
        .refine(
          isAllowedOrigin,
          'Write an origin as browsers send it, such as https://app.example.com, `*` or loopback.',
        ),
    )
    .refine(
      (list) => list.length < 2 || !list.includes('loopback'),
      'loopback stands alone; beside others write each origin.',
    )
    .optional()
    .describe(
      'Browser origins the MCP doors answer, `*` for any, `loopback` alone for those of this machine. Default: `[loopback]` when listening on loopback, else none.',
    ),
  development: z
    .boolean()
    .default(false)
    .describe(
      'Accept http:// issuers and resources beyond loopback, and client documents on loopback. Never in production.',
    ),
  limits: z
    .strictObject({
      body: size('1mb').describe('Largest request body of the MCP doors.'),
      depth: z.int().min(2).max(1024).default(64).describe('Deepest JSON nesting.'),
      keys: z.int().min(16).default(10_000).describe('Most object keys in one JSON message.'),
      headers: size('16kb').describe('Largest request head.'),
      headersTimeout: duration('10s').describe('Time for a request head to arrive.'),
      bodyTimeout: duration('30s').describe('Time for a request body to arrive.'),
      connections: z.int().min(1).default(20_000).describe('Most open connections; further ones are closed at once.'),
      streamsPerPrincipal: z
        .int()
        .min(1)
        .default(100)
        .describe('Most open streams of one principal; of one network where nobody has signed in.'),
      streamBuffer: size('256kb').describe('Most bytes kept for a slow reader before its stream is dropped.'),
      streamStall: duration('60s').describe(
        'Time a reader may stand still on a full buffer before its stream is dropped.',
      ),
      streamKeepAlive: duration('15s').describe('Silence on an event stream before a comment is sent; 0 is never.'),
    })
    .prefault({}),
  drain: duration('30s').describe('Time that running requests get after SIGTERM.'),
})
export type ServerConfig = z.output<typeof server>
export type TlsConfig = NonNullable<ServerConfig['tls']>

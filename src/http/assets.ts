// The stylesheet and the mark: addresses carry a digest of the content, so that browsers may keep them for good (RFC 8246).
import { createHash } from 'node:crypto'
import type { Endpoint } from './exchange.ts'
import { checkMethod } from './method.ts'
import { LOGO, STYLESHEET } from './stylesheet.ts'

interface Asset {
  readonly path: string
  readonly type: string
  readonly body: string
}

const CSS: Asset = { path: '/assets/portcullis.css', type: 'text/css; charset=utf-8', body: STYLESHEET }
const SVG: Asset = { path: '/assets/portcullis.svg', type: 'image/svg+xml', body: LOGO }

const digestOf = ({ body }: Asset) => createHash('sha256').update(body).digest('base64url').slice(0, 12)

export const STYLESHEET_URL = `${CSS.path}?v=${digestOf(CSS)}`
export const LOGO_URL = `${SVG.path}?v=${digestOf(SVG)}`

const endpointOf =
  (asset: Asset): Endpoint =>
  (exchange) => {
    checkMethod(exchange, 'GET', 'HEAD')
    const current = exchange.query === `v=${digestOf(asset)}`
    exchange.res.writeHead(200, {
      'Content-Type': asset.type,
      'Content-Length': Buffer.byteLength(asset.body),
      // An address without the digest of today is good for this answer only.
      'Cache-Control': current ? 'public, max-age=31536000, immutable' : 'no-cache',
      'X-Content-Type-Options': 'nosniff',
      // An SVG that is opened by itself is a document: nothing in it may run.
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    })
    exchange.res.end(asset.body)
  }

export const assetEndpoints: ReadonlyMap<string, Endpoint> = new Map(
  [CSS, SVG].map((asset) => [asset.path, endpointOf(asset)]),
)

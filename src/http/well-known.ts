// Protected resource documents, RFC 9728 §3: one for each resource at its own inserted path; the root names that of `/mcp`, or the only one.
import { metadataUrl, PROTECTED_RESOURCE_PATH, protectedResourceMetadata } from '../protocol/protected-resource.ts'
import type { Resource, Resources } from '../protocol/resource.ts'
import type { Endpoint } from './exchange.ts'
import { publicDocument } from './public-document.ts'

export function protectedResourceDocuments(needs: {
  resources: Resources
  issuer: string
  /** In place of every resource's own title. */
  name?: string | undefined
}): {
  match(path: string): Endpoint | undefined
} {
  const documentOf = (resource: Resource): Endpoint => {
    const title = resource.server === undefined ? resource.title : (needs.name ?? resource.title)
    const document = protectedResourceMetadata({ ...resource, title }, needs.issuer)
    return publicDocument(() => document)
  }
  // An ingress that redirects `/.well-known/` of its hosts to us keeps the path and loses the host: a path that several have names none.
  const all = [...needs.resources.list(), ...needs.resources.further()]
  const byPath = Map.groupBy(all, ({ url }) => new URL(metadataUrl(url)).pathname)
  const documents = new Map<string, Endpoint>()
  for (const [path, those] of byPath) {
    const own = those.find(({ document }) => document === undefined)
    const named = own ?? (those.length === 1 ? those[0] : undefined)
    if (named && path !== PROTECTED_RESOURCE_PATH) documents.set(path, documentOf(named))
  }
  const main = needs.resources.main()
  if (main) documents.set(PROTECTED_RESOURCE_PATH, documentOf(main))
  return { match: (path) => documents.get(path) }
}

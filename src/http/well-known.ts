// Protected resource documents, RFC 9728 §3: one for each resource at its own inserted path; the root names the only one.
import { PROTECTED_RESOURCE_PATH, protectedResourceMetadata } from '../protocol/protected-resource.ts'
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
    const document = protectedResourceMetadata({ ...resource, title: needs.name ?? resource.title }, needs.issuer)
    return publicDocument(() => document)
  }
  const documents = new Map<string, Endpoint>()
  for (const resource of needs.resources.list()) {
    documents.set(PROTECTED_RESOURCE_PATH + new URL(resource.url).pathname, documentOf(resource))
  }
  const [only, second] = needs.resources.list()
  if (only && !second) documents.set(PROTECTED_RESOURCE_PATH, documentOf(only))
  return { match: (path) => documents.get(path) }
}

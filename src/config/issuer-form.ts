// How each kind of authorization server writes its own name, and what its entry cannot do without: said where it is written, since a
// token that differs by a letter is refused one by one later.

interface Form {
  readonly fits: RegExp
  readonly form: string
}

const NO_SLASH = /[^/]$/

const FORMS = {
  generic: undefined,
  keycloak: { fits: NO_SLASH, form: 'Keycloak writes https://HOST/realms/REALM, without a slash at the end.' },
  okta: { fits: NO_SLASH, form: 'Okta writes https://HOST/oauth2/SERVER, without a slash at the end.' },
  auth0: { fits: /\/$/, form: 'Auth0 writes https://HOST/, with a slash at the end.' },
  google: { fits: /^https:\/\/accounts\.google\.com$/, form: 'Google writes https://accounts.google.com.' },
  entra: {
    fits: /^https:\/\/(?:login\.microsoftonline\.com\/[^/]+\/v2\.0$|sts\.windows\.net\/[^/]+\/$|(?!login\.microsoftonline\.com\/|sts\.windows\.net\/))/,
    form: 'Entra writes https://login.microsoftonline.com/TENANT/v2.0 into tokens of version 2, https://sts.windows.net/TENANT/ into those of version 1.',
  },
} satisfies Readonly<Record<string, Form | undefined>>

const MANY_TENANTS = /\/(?:common|organizations|\{tenantid\})(?:\/|$)/

function isAddress(issuer: string): boolean {
  const url = URL.parse(issuer)
  return url !== null && /^https?:$/.test(url.protocol) && !/[?#]/.test(issuer) && url.username === ''
}

interface Entry {
  readonly type: keyof typeof FORMS
  readonly issuer: string
  readonly tenants: readonly string[]
  readonly audience?: unknown
  readonly jwks?: unknown
  readonly jwksUri?: unknown
  readonly jwksFile?: unknown
  readonly introspection?: { readonly endpoint?: unknown } | undefined
}

export function issuerFlaw(
  entry: Entry,
): { readonly key: 'issuer' | 'audience' | 'tenants' | 'jwks'; readonly message: string } | undefined {
  const { type, issuer, audience, tenants, jwks, jwksUri, jwksFile, introspection } = entry
  const written = [jwks, jwksUri, jwksFile].filter((source) => source !== undefined)
  const expected: Form | undefined = FORMS[type]
  if (expected !== undefined && !expected.fits.test(issuer)) return { key: 'issuer', message: expected.form }
  // RFC 7519 §4.1.1 lets any text be an issuer; RFC 8414 §2 has it a URL where there is something to discover.
  const isDiscovered = written.length === 0 || (introspection !== undefined && introspection.endpoint === undefined)
  if (isDiscovered && !isAddress(issuer))
    return {
      key: 'issuer',
      message:
        'Write the https URL of the issuer, without query and fragment; or say where its keys are: jwks, jwksFile or jwksUri.',
    }
  if (type === 'google' && audience === undefined)
    return { key: 'audience', message: 'Tokens of Google name a client id as their audience. Write that client id.' }
  if (type === 'entra' && MANY_TENANTS.test(issuer) && tenants.length === 0)
    return { key: 'tenants', message: 'This issuer is for every tenant of Entra. List the ids of those that count.' }
  if (written.length > 1)
    return { key: 'jwks', message: 'Write one of jwks, jwksFile and jwksUri: the others would be ignored.' }
  return undefined
}

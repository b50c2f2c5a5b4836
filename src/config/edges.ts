// What each edge needs to be told, and what it would not read: a setting that looks as if it were checked, and is not, opens the gate.
import type { EdgePreset, ProxyConfig } from './auth-proxy.ts'
import type { Config } from './schema.ts'
import type { Path } from './settings.ts'
import type { Flaw } from './transport.ts'

type Key = Exclude<keyof ProxyConfig, 'preset' | 'groupsSeparator' | 'clockTolerance'>
type Said = Omit<Flaw, 'path'>

interface Rule {
  /** Without it somebody else's word would count. */
  readonly needs: Partial<Record<Key, Said>>
  readonly takes: readonly Key[]
  /** Plain fields of the edge's own: naming one is harmless, since the assertion says the same and is what counts. */
  readonly plain?: readonly string[]
}

const SIGNED: readonly Key[] = ['issuer', 'audience', 'signer', 'keys', 'groupsClaim']
const PLAIN: readonly Key[] = ['userHeader', 'emailHeader', 'nameHeader', 'groupsHeader']
const AS_IT_IS: Rule = { needs: {}, takes: PLAIN }

const RULES: Readonly<Record<EdgePreset, Rule>> = {
  'cloudflare-access': {
    needs: {
      issuer: {
        message: 'Cloudflare signs for many teams, and this does not say which one is yours.',
        remedy: 'Write your team domain, such as issuer: https://team.cloudflareaccess.com.',
      },
      audience: {
        message: 'Without the application’s tag an assertion for any application of the team would count.',
        remedy: 'Write the Application Audience (AUD) tag of the Access application as audience.',
      },
    },
    takes: ['keys', 'groupsClaim'],
    plain: ['cf-access-authenticated-user-email'],
  },
  'aws-alb': {
    needs: {
      signer: {
        message: 'All load balancers sign with keys from one place, and this does not say which one is yours.',
        remedy:
          'Write its ARN, such as signer: arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/NAME/ID.',
      },
    },
    takes: ['issuer', 'audience', 'keys', 'groupsClaim'],
    plain: ['x-amzn-oidc-identity'],
  },
  'google-iap': {
    needs: {
      audience: {
        message: 'Without it an assertion that Google signed for any other application would count.',
        remedy:
          'Write the application’s audience, such as /projects/NUMBER/global/backendServices/ID; the console shows it as JWT audience.',
      },
    },
    takes: ['keys', 'groupsClaim'],
    plain: ['x-goog-authenticated-user-email', 'x-goog-authenticated-user-id'],
  },
  pomerium: {
    needs: {
      issuer: {
        message: 'This does not say whose signature counts.',
        remedy: 'Write the host of the route, such as issuer: mcp.example.com.',
      },
      audience: {
        message: 'Without it an assertion for any other route would count.',
        remedy: 'Write the host of the route, such as audience: mcp.example.com.',
      },
    },
    takes: ['keys', 'groupsClaim'],
    plain: ['x-pomerium-claim-email', 'x-pomerium-claim-user', 'x-pomerium-claim-sub'],
  },
  istio: { needs: {}, takes: ['userHeader', 'issuer', 'audience', 'groupsClaim'] },
  'azure-easyauth': { needs: {}, takes: ['issuer', 'audience', 'groupsClaim'] },
  'oauth2-proxy': AS_IT_IS,
  authelia: AS_IT_IS,
  kong: AS_IT_IS,
  tailscale: AS_IT_IS,
}

type Places = Pick<Config, 'auth' | 'servers'>

/** Every proxy that is written somewhere, with its place. */
function writtenProxies({ auth, servers }: Places): { path: Path; proxy: ProxyConfig }[] {
  const own = servers.flatMap(({ auth: ways }, index) =>
    typeof ways?.proxy === 'object' ? [{ path: ['servers', index, 'auth', 'proxy'], proxy: ways.proxy }] : [],
  )
  return auth.proxy === undefined ? own : [{ path: ['auth', 'proxy'], proxy: auth.proxy }, ...own]
}

export function checkEdges(places: Places): Flaw[] {
  return writtenProxies(places).flatMap(({ path, proxy }) =>
    [...missing(proxy), ...strange(proxy), ...malformed(proxy)].map(([key, said]) => ({
      path: [...path, key],
      ...said,
    })),
  )
}

/** Where keys are fetched from: what comes over plain http anybody on the way can write. */
export const keyAddresses = (places: Places): { path: Path; url: string }[] =>
  writtenProxies(places).flatMap(({ path, proxy: { keys } }) =>
    keys === undefined ? [] : [{ path: [...path, 'keys'], url: keys }],
  )

type Found = readonly (readonly [Key, Said])[]

const ruleOf = ({ preset }: ProxyConfig): Rule => (preset === undefined ? AS_IT_IS : RULES[preset])

const missing = (proxy: ProxyConfig): Found =>
  Object.entries(ruleOf(proxy).needs).flatMap(([key, said]) =>
    proxy[key as Key] === undefined ? [[key as Key, said] as const] : [],
  )

function strange(proxy: ProxyConfig): Found {
  const { needs, takes, plain } = ruleOf(proxy)
  return [...SIGNED, ...PLAIN].flatMap((key) => {
    const isMeant = takes.includes(key) || Object.hasOwn(needs, key)
    const isOwn = key === 'userHeader' && plain?.includes(proxy.userHeader?.toLowerCase() ?? '')
    return proxy[key] === undefined || isMeant || isOwn ? [] : [[key, whyStrange(key, proxy)] as const]
  })
}

function whyStrange(key: Key, { preset }: ProxyConfig): Said {
  const takesClaims = preset !== undefined && ruleOf({ preset } as ProxyConfig).takes.includes('groupsClaim')
  if (SIGNED.includes(key) && !takesClaims)
    return {
      message: 'Plain headers say nothing that could be held against this.',
      remedy: 'Name the edge that signs (preset: cloudflare-access, aws-alb, google-iap or pomerium), or take it out.',
    }
  if (PLAIN.includes(key))
    return {
      message: `With preset: ${preset} the caller is in the edge’s own header; this one would not be read.`,
      remedy: 'Take it out (groups: groupsClaim), or take the preset out if the plain header is to be believed.',
    }
  return { message: `With preset: ${preset} there is nothing to choose here.`, remedy: 'Take it out.' }
}

const ARN = /^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:loadbalancer\/app\/[A-Za-z0-9-]+\/[A-Za-z0-9]+$/
const HOST = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/
const isOrigin = (text: string): boolean => text.startsWith('https://') && URL.parse(text)?.origin === text

interface Form extends Said {
  readonly key: Key
  holds(value: string): boolean
}

/** Another form would match no assertion at all, and nobody would see why. */
const FORMS: Partial<Record<EdgePreset, Form>> = {
  'cloudflare-access': {
    key: 'issuer',
    holds: isOrigin,
    message: 'This is no team domain.',
    remedy: 'Write https://team.cloudflareaccess.com, without a slash at its end.',
  },
  'aws-alb': {
    key: 'signer',
    holds: (value) => ARN.test(value),
    message: 'This is no ARN of an application load balancer.',
    remedy: 'Write it whole: arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID.',
  },
  'google-iap': {
    key: 'audience',
    holds: (value) => /^\/projects\/\d+\/./.test(value),
    message: 'Google’s audiences are paths with the number of a project.',
    remedy:
      'Write /projects/NUMBER/global/backendServices/ID, /projects/NUMBER/locations/REGION/services/NAME or /projects/NUMBER/apps/PROJECT.',
  },
  pomerium: {
    key: 'issuer',
    holds: (value) => HOST.test(value) || (value.endsWith('/') && isOrigin(value.slice(0, -1))),
    message: 'Pomerium signs under no such name.',
    remedy: 'Write the host of the route alone; with jwt_issuer_format: uri its URL, with the slash at its end.',
  },
}

function malformed(proxy: ProxyConfig): Found {
  const form = proxy.preset === undefined ? undefined : FORMS[proxy.preset]
  const value = form && proxy[form.key]
  if (form === undefined || value === undefined) return keysUnknown(proxy)
  const { key, holds, message, remedy } = form
  return [value].flat().every(holds) ? keysUnknown(proxy) : [[key, { message, remedy }]]
}

function keysUnknown({ preset, signer = '', keys }: ProxyConfig): Found {
  if (preset !== 'aws-alb' || keys !== undefined || !/^arn:aws-(?!us-gov:)/.test(signer)) return []
  const message = 'Where AWS publishes the keys of this partition is not known here.'
  return [['keys', { message, remedy: 'Write the address under which they are, without the name of a key.' }]]
}

// `/admin` in some two hundred spellings, and others that a server might take for it (rows D13 and D14 of the catalogue).

/** What the most lenient server there is would serve. */
export function leniently(target: string): string {
  let path = target.split(/[?#]/, 1)[0] ?? ''
  for (let times = 0; times < 3; times++)
    path = path
      .replace(/%c0%ae/gi, '.')
      .replace(/%c0%af/gi, '/')
      .replace(/%ef%bc%8f/gi, '/')
      .replace(/%ef%bd%81/gi, 'a')
      .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  const kept: string[] = []
  for (const segment of path.replaceAll('\\', '/').replaceAll('\0', '').split('/')) {
    const name = segment.split(';', 1)[0]?.trim().toLowerCase() ?? ''
    if (name === '..') kept.pop()
    else if (name !== '' && name !== '.') kept.push(name)
  }
  return `/${kept.join('/')}`
}

const letters = [...'admin']
const spellings = [
  ...letters.map(
    (letter, at) => `/${'admin'.slice(0, at)}%${letter.charCodeAt(0).toString(16)}${'admin'.slice(at + 1)}`,
  ),
  ...letters.map(
    (letter, at) => `/${'admin'.slice(0, at)}%25${letter.charCodeAt(0).toString(16)}${'admin'.slice(at + 1)}`,
  ),
  ...letters.map((letter, at) => `/${'admin'.slice(0, at)}${letter.toUpperCase()}${'admin'.slice(at + 1)}`),
  ...['/ADMIN', '/Admin/', '/aDMIN/users', '/%EF%BD%81dmin', '/admin%00', '/admin%00/x', '/admin%20', '/admin%09'],
  ...[
    '..',
    '.',
    '%2e%2e',
    '%2E%2E',
    '.%2e',
    '%2e.',
    '%252e%252e',
    '%c0%ae%c0%ae',
    '..;',
    '..;x=1',
    '%2e%2e;',
    '..%00',
    '..%20',
  ].flatMap((dots) =>
    ['/', '%2f', '%2F', '%5c', '\\', '%252f', '%c0%af', '//', '/./', '/;/', '%ef%bc%8f'].map(
      (slash) => `/public/${dots}${slash}admin`,
    ),
  ),
  ...[
    '//admin',
    '///admin',
    '/./admin',
    '/;/admin',
    '/;x/admin',
    '/.;/admin',
    '/%2fadmin',
    '/\\admin',
    '/%5cadmin',
    '/x//../admin',
  ],
  ...[
    '/admin;x',
    '/admin;jsessionid=1',
    '/admin/..;/admin',
    '/admin/.',
    '/admin/x/..',
    '/admin//',
    '/public/..%2fadmin',
    '/public\\..\\admin',
  ],
  ...[
    '/public#/../admin',
    '/public?/../admin',
    '/public/..?/admin',
    '/%61%64%6d%69%6e',
    '/%2561dmin',
    '/%u0061dmin',
    '/a%64min%2f',
    '/ad%6Din/x',
  ],
]

/** Each once. */
export const SPELLINGS: readonly string[] = [...new Set(spellings)]

// Who and what is in the realm of Kuadrant's guide, whichever server it is on.

/** Members as both have them; what only a token of Keycloak's own making has is in the table of tests for its profile. */
export const MCP_USER = {
  username: 'mcp',
  password: 'mcp',
  email: 'mcp@corp.example',
  firstName: 'Mona',
  lastName: 'Cee',
  groups: ['mcp-users', 'accounting', 'engineering'],
  roles: ['auditor'],
} as const

/** Confidential: signs people in for the gate, and calls in its own name. */
export const GATE_CLIENT = { clientId: 'mcp-gateway', clientSecret: 'secret' } as const

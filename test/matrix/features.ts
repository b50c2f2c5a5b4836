// What MCP has that a client can use and a server can offer: the columns of the matrix.
export const FEATURES = {
  tools: 'tools/list',
  call: 'tools/call',
  prompts: 'prompts/list',
  prompt: 'prompts/get',
  resources: 'resources/list',
  read: 'resources/read',
  templates: 'resources/templates/list',
  completion: 'completion/complete',
  pages: 'a list in pages, by its cursors',
  progress: 'notifications/progress of a call',
  cancel: 'a call that the client gives up ends at the server',
  logging: 'notifications/message, at the level that was asked for',
  updated: 'notifications/resources/updated of a resource that was subscribed to',
  changed: 'notifications/tools/list_changed',
  form: 'elicitation/create with a form',
  link: 'elicitation/create with a link',
  sampling: 'sampling/createMessage',
  roots: 'roots/list',
  ping: 'ping',
} as const

export type Feature = keyof typeof FEATURES
export const ALL = Object.keys(FEATURES) as Feature[]

export interface Call {
  readonly name: string
  readonly args?: Record<string, unknown>
  /** What the answer says. */
  readonly says: string
}

/** How each feature of a server is put to use; what is not here it has not. */
export interface Asks {
  readonly tools: string
  readonly call: Call
  readonly prompts?: string
  readonly prompt?: Call
  readonly resources?: string
  readonly read?: { readonly uri: string; readonly says: string }
  readonly templates?: string
  readonly completion?: {
    readonly prompt: string
    readonly argument: string
    readonly start: string
    readonly says: string
  }
  /** Found on a later page of its resources. */
  readonly pages?: string
  readonly progress?: Omit<Call, 'says'>
  /** A call that waits, by a nonce of ours. */
  readonly cancel?: {
    readonly name: string
    readonly waits: { has(nonce: string): boolean }
    readonly ended: { has(nonce: string): boolean }
  }
  readonly logging?: Omit<Call, 'says'>
  readonly updated?: Omit<Call, 'says'> & { readonly uri: string; readonly after?: Omit<Call, 'says'> }
  readonly changed?: Omit<Call, 'says'>
  readonly form?: Call
  readonly link?: Call
  readonly sampling?: Call
  readonly roots?: Call
  readonly ping?: true
}

/** What went wrong, by feature. */
export type Findings = Partial<Record<Feature, 'works' | { readonly wrong: string }>>

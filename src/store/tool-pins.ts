// What is known of the tools behind the gate: the definition that was approved, and the one last seen.

export interface ToolPin {
  readonly server: string
  readonly tool: string
  /** Digest of the approved definition; `undefined`: none ever was. */
  readonly pinned: string | undefined
  /** Digest of the definition last seen. */
  readonly seen: string
  readonly seenAt: number
}

export interface KeptDefinitions extends ToolPin {
  readonly pinnedText: string | undefined
  readonly seenText: string
}

export interface SeenTool {
  readonly name: string
  readonly digest: string
  readonly text: string
}

export interface ToolPins {
  /** Grows with every change: what was read at this number need not be read again. */
  epoch(): Promise<number>
  list(): Promise<readonly ToolPin[]>
  find(server: string, tool: string): Promise<KeptDefinitions | undefined>
  /**
   * Keeps what a server shows. At the first sight of the server it is approved as it is, later tools only with `pinNew`.
   * Answers the tools of which this changed anything: each change is told to one caller only.
   */
  saw(server: string, tools: readonly SeenTool[], options: { pinNew: boolean; at: number }): Promise<readonly ToolPin[]>
  /** Approves the definition of this digest; `false` where another one was seen last, or none. */
  approve(server: string, tool: string, digest: string): Promise<boolean>
}

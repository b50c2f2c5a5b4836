// What only the quickstart needs: its example server beside the gate, and programs of our own node_modules.
import { delimiter, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { QUICKSTART } from '../config/locate.ts'

export interface Toolbox {
  readonly url: string
  close(): Promise<void>
}

/** Its file is no part of the program's source, so it is loaded by address. */
export async function startQuickstartServer(): Promise<Toolbox> {
  const module: unknown = await import(pathToFileURL(join(dirname(QUICKSTART), 'toolbox.ts')).href)
  if (!isStarter(module)) throw new TypeError('examples/quickstart/toolbox.ts exports no startToolbox')
  return module.startToolbox()
}

const isStarter = (module: unknown): module is { startToolbox(): Promise<Toolbox> } =>
  typeof module === 'object' && module !== null && 'startToolbox' in module && typeof module.startToolbox === 'function'

/** `npm start` has the folder in PATH, a directly started program does not; the pinned Node is in it, too. */
export function pathWithOwnPrograms(path: string | undefined): string {
  return [join(import.meta.dirname, '../../node_modules/.bin'), ...(path === undefined ? [] : [path])].join(delimiter)
}

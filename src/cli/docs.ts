// `npm run docs`: writes the generated reference pages.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { referencePages } from '../config/docs.ts'

const FOLDER = join(import.meta.dirname, '../../docs/reference')

export function writeDocs(): void {
  mkdirSync(FOLDER, { recursive: true })
  for (const [name, text] of Object.entries(referencePages())) writeFileSync(join(FOLDER, name), text)
}

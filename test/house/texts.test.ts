// What no file of the project may say: where it was written, and from which registry it was installed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { projectFiles, ROOT } from './sources.ts'

const BINARY = /\.(png|jpe?g|gif|ico|webp|woff2?|gz|db)$/
const files = projectFiles().filter((path) => !BINARY.test(path))

/** `path:line` of every match in the project's text. */
function findText(pattern: RegExp, among: readonly string[] = files): string[] {
  return among.flatMap((path) =>
    readFileSync(join(ROOT, path), 'utf8')
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : [])),
  )
}

describe('committed text', () => {
  it('is there', () => {
    expect(files.length).toBeGreaterThan(60)
    expect(findText(/"name": "portcullis"/)).toContain('package.json:2')
  })

  it('names no package registry: whoever installs chooses theirs', () => {
    expect(
      findText(/\bregistry\.[a-z0-9-]+\.[a-z]+|\bnpm\.pkg\.[a-z]+|\/(?:artifactory|nexus)\/|"resolved":\s*"http/i),
    ).toEqual([])
  })

  it('names no absolute folder of the machine it was written on', () => {
    // Assembled, so that this file does not find itself.
    const folders = ['home/[a-z]', 'Users/[A-Za-z]', ['wo', 'rk/(main|shared)'].join(''), 'root/[a-z.]']
    expect(findText(new RegExp(`(^|[\\s"'\`=(:])/(${folders.join('|')})`))).toEqual([])
  })

  it('calls other systems and its own decisions by their names, not by a number or a paper that no reader has', () => {
    const numbered = ['se', 'ed 0?0?[0-9]\\b'].join('')
    const paper = ['des', 'ign(\\.md|:)'].join('')
    expect(findText(new RegExp(`\\b(${numbered}|${paper})`, 'i'))).toEqual([])
  })

  it('has no merge marks and no forgotten focus', () => {
    const tests = files.filter((path) => path.endsWith('.test.ts'))
    expect(findText(/^(<{7}|>{7}) /)).toEqual([])
    expect(findText(/\b(it|test|describe)\.(only|todo)\(/, tests)).toEqual([])
  })
})

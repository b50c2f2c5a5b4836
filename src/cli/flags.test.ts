import { describe, expect, it } from 'vitest'
import { SEED_FLAGS } from '../config/seeds.ts'
import { translateFlags } from './flags.ts'

const translate = (...words: string[]) => translateFlags(words, SEED_FLAGS)

describe('translateFlags', () => {
  it('takes -name=value, -name value and two dashes', () => {
    expect(translate('-port=11000', '-oauthDomain', 'o.example.com', '--logLevel=0')).toEqual({
      rest: [],
      seeds: { port: '11000', oauthDomain: 'o.example.com', logLevel: '0' },
    })
  })

  it('takes words with dashes and digits between, as Kuadrant writes them, and none of ours', () => {
    expect(translate('--mcp-router-address', '0.0.0.0:50051', '--enable-a2a', 'serve', '--log-level', 'info')).toEqual({
      rest: ['serve', '--log-level', 'info'],
      seeds: { 'mcp-router-address': '0.0.0.0:50051', 'enable-a2a': 'true' },
    })
  })

  it('gives a boolean flag no next word', () => {
    expect(translate('-devMode', 'serve')).toEqual({ rest: ['serve'], seeds: { devMode: 'true' } })
    expect(translate('-devMode=false')).toEqual({ rest: [], seeds: { devMode: 'false' } })
  })

  it('leaves our own words alone', () => {
    const words = ['serve', '--config', 'x.yaml', '-n', '5', '--set', 'a=b', '--', '-port=1']
    expect(translate(...words)).toEqual({ rest: words, seeds: {} })
  })

  it('refuses a missing value and two different ones', () => {
    expect(() => translate('-port')).toThrow('-port needs a value')
    expect(() => translate('-port=1', '-port=2')).toThrow('-port is given twice')
    expect(translate('-port=1', '-port=1').seeds).toEqual({ port: '1' })
  })
})

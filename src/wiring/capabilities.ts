// Signed lists of what a caller may use: their key, and what the log is told of lists that do not count.
import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { CapabilitiesConfig } from '../config/capabilities.ts'
import { capabilitiesReader, type ReadCapabilities } from '../identity/capabilities.ts'
import { rarely } from '../observe/rarely.ts'
import { tellUntrusted } from '../observe/untrusted.ts'
import { capabilityKeyFlaw, isKeyText, parseCapabilityKey } from '../protocol/capability-key.ts'
import { OperatorError } from '../protocol/errors.ts'
import type { Ground } from './ground.ts'

const TOLD = { every: 60_000, most: 20 }

export function openCapabilities(config: CapabilitiesConfig, { clock, log }: Ground): ReadCapabilities {
  const isTime = rarely({ ...TOLD, clock })
  return capabilitiesReader({
    config,
    key: config.publicKey === undefined ? undefined : keyOf(config.publicKey),
    clock,
    onRefused(reason, peer) {
      if (isTime(`${reason} ${peer}`))
        log.warn(
          { reason, peer },
          `A list in ${config.header} does not count: its caller may use no tool and no prompt.`,
        )
    },
    onUntrusted: tellUntrusted(config.header, { clock, log }),
  })
}

/** PEM text was judged with the configuration; a file is now. */
function keyOf(publicKey: string): KeyObject {
  const text = isKeyText(publicKey) ? publicKey : readKey(publicKey)
  const flaw = capabilityKeyFlaw(text)
  if (flaw !== undefined) throw new OperatorError(`auth.capabilities.publicKey: ${publicKey}: ${flaw}`)
  return parseCapabilityKey(text)
}

function readKey(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new OperatorError(`auth.capabilities.publicKey: ${path} cannot be read. Check its path.`, { cause })
  }
}

// What every store promises, as one suite. A backend that passes is done.
import { afterAll, beforeAll, describe } from 'vitest'
import { allowancePromises } from './conformance/allowances.ts'
import { apiTokenPromises } from './conformance/api-tokens.ts'
import { artifactPromises } from './conformance/artifacts.ts'
import { clientSessionPromises } from './conformance/client-sessions.ts'
import { clientPromises } from './conformance/clients.ts'
import { connectionPromises } from './conformance/connections.ts'
import { ephemeralPromises } from './conformance/ephemeral.ts'
import { familyPromises } from './conformance/families.ts'
import { keyPromises } from './conformance/keys.ts'
import { type Pair, pairOf } from './conformance/pair.ts'
import { recordPromises } from './conformance/records.ts'
import { replicaPromises } from './conformance/replicas.ts'
import { revocationPromises } from './conformance/revocations.ts'
import { rotationPromises } from './conformance/rotation.ts'
import { secretPromises } from './conformance/secrets.ts'
import { toolPinPromises } from './conformance/tool-pins.ts'
import { userPromises } from './conformance/users.ts'

/**
 * `open` answers a store over one and the same database each time, empty at first: two of them are two replicas.
 * A backend that lives in one process may answer the same store twice.
 */
export function storeConformance(name: string, open: () => Promise<Pair['one']>): void {
  describe(`store conformance: ${name}`, () => {
    let opened: Pair | undefined
    beforeAll(async () => {
      opened = pairOf(await open(), await open())
    })
    afterAll(async () => {
      await opened?.one.close()
      await opened?.two.close()
    })
    const pair = (): Pair => {
      if (opened === undefined) throw new Error('The store did not open.')
      return opened
    }
    clientPromises(pair)
    familyPromises(pair)
    rotationPromises(pair)
    revocationPromises(pair)
    userPromises(pair)
    keyPromises(pair)
    apiTokenPromises(pair)
    toolPinPromises(pair)
    secretPromises(pair)
    connectionPromises(pair)
    artifactPromises(pair)
    ephemeralPromises(pair)
    clientSessionPromises(pair)
    allowancePromises(pair)
    replicaPromises(pair)
    recordPromises(pair)
  })
}

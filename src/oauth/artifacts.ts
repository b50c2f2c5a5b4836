// The library's short-lived documents, codes, interactions, browser sessions and registration tokens, and the marks of used assertions.
import { type Adapter, errors } from 'oidc-provider'
import type { Clock } from '../protocol/clock.ts'
import type { ArtifactKind, Artifacts } from '../store/ephemeral.ts'
import { sha256 } from './hash.ts'
import { parsePayload, storedPayload } from './payload.ts'

interface Needs {
  readonly artifacts: Artifacts
  readonly clock: Clock
}

export function artifactAdapter(kind: ArtifactKind, { artifacts, clock }: Needs): Adapter {
  return {
    upsert: (id, payload, ttl) =>
      artifacts.save({
        kind,
        idHash: sha256(id),
        // A registration token is found by its client, with which it goes.
        uid: kind === 'RegistrationAccessToken' ? payload.clientId : payload.uid,
        family: payload.grantId,
        payload: storedPayload(payload),
        expiresAt: ttl === undefined ? undefined : clock() + ttl * 1000,
      }),
    async find(id) {
      const found = await artifacts.find(kind, sha256(id), clock())
      if (!found) return undefined
      const payload = parsePayload(found.payload, id)
      return found.consumedAt === undefined ? payload : { ...payload, consumed: Math.floor(found.consumedAt / 1000) }
    },
    async findByUid(uid) {
      const found = await artifacts.findByUid(kind, uid, clock())
      return found === undefined ? undefined : parsePayload(found.payload)
    },
    // Codes alone are spent: codes.ts.
    async consume() {},
    destroy: (id) => artifacts.remove(kind, sha256(id)),
    revokeByGrantId: (family) => artifacts.removeFamily(family),
    async findByUserCode() {},
  }
}

/** RFC 7523 §3: an assertion is used once, on whichever replica. The library looks first; the mark decides. */
export function replayAdapter({
  marks,
  clock,
}: {
  marks: { markSeen(key: string, expiresAt: number, now: number): Promise<boolean> }
  clock: Clock
}): Adapter {
  return {
    async upsert(id, _payload, ttl) {
      const now = clock()
      if (!(await marks.markSeen(`assertion:${id}`, now + (ttl ?? 0) * 1000, now)))
        throw new errors.InvalidClientAuth('replayed')
    },
    async find() {},
    async consume() {},
    async destroy() {},
    async revokeByGrantId() {},
    async findByUid() {},
    async findByUserCode() {},
  }
}

// Identifiers that are secrets are stored as SHA-256 only: whoever reads the store can present none of them.
import { createHash } from 'node:crypto'

export const sha256 = (secret: string): string => createHash('sha256').update(secret).digest('base64url')

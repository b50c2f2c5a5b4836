// Nothing is given.
import type { Credential } from '../credential.ts'
import type { Given } from '../upstream.ts'

const NOTHING: Given = { headers: {} }

export const noCredential: Credential = { personal: false, given: () => NOTHING }

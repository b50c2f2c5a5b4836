// What identity providers say of people beyond groups, roles and teams: kept for conditions, as JSON.
import type { TextType } from './text.ts'

export const userClaims = (text: TextType): string[] => [`alter table users add column claims ${text}`]

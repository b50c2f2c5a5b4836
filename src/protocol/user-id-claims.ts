// Claims that may say who somebody is, in the order in which they are looked at where nothing says which one counts.

/** Left out of what authentication proxies look at: `client_id` and `azp`, the same for everybody, and `name`, which people choose. */
export const USER_ID_CLAIMS = [
  'sub',
  'username',
  'oid',
  'preferred_username',
  'upn',
  'unique_name',
  'email',
  'user_id',
] as const
export type UserIdClaim = (typeof USER_ID_CLAIMS)[number]

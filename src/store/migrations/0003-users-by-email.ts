// Who has an address: asked by services that know a person by it.
export const usersByEmail: readonly string[] = ['create index users_by_email on users (email) where email is not null']

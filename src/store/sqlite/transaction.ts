// One transaction, begun and ended within one turn of the event loop: nobody else's statement can slip into it.
import type { DatabaseSync } from 'node:sqlite'

export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  // IMMEDIATE takes the writer's lock at once: a lock that is taken late can fail after half of the work.
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    // A full disk may have rolled it back already.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

import { addon } from './addon.js'
import type { Check } from './check.js'
import { damagedLocks } from './damaged-locks.js'
import { database } from './database.js'
import { deadLocks } from './dead-locks.js'
import { deadlocks } from './deadlocks.js'
import { hungHolders, stoppedHolders } from './holders.js'
import { openFiles } from './open-files.js'
import { ownerDied } from './owner-died.js'
import { paths } from './paths.js'
import { removeIpc } from './remove-ipc.js'
import { removedMemory } from './removed-memory.js'
import { sharedMemory } from './shared-memory.js'

/** In the order in which they are run and printed. None changes what a later one looks at. */
export const CHECKS: readonly Check[] = [
  addon,
  sharedMemory,
  openFiles,
  removeIpc,
  removedMemory,
  paths,
  damagedLocks,
  deadLocks,
  ownerDied,
  stoppedHolders,
  hungHolders,
  deadlocks,
]

/** For locks in a database, whose server finds deadlocks itself. */
export const DATABASE_CHECKS: readonly Check[] = [database, ownerDied, stoppedHolders, hungHolders]

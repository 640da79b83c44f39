import './shared-memory/binding.js' // before any other: see there

export { install } from './web-locks/install.js'
export { Lock, type LockMode } from './web-locks/lock.js'
export { LockManager, locks } from './web-locks/lock-manager.js'
export type {
  LockGrantedCallback,
  LockInfo,
  LockManagerSnapshot,
  LockOptions,
} from './web-locks/types.js'

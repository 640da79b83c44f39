import './shared-memory/binding.js' // before any other: see there

export { type LockInfo, lockInfo } from './leader/info.js'
export { type InstanceOptions, tryInstance } from './leader/instance.js'
export { type LeadOptions, lead } from './leader/lead.js'

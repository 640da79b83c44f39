// The named locks of this user on this machine. Locks by path can be inspected, but not listed.
import { activityOfRef, listActivity } from '../shared-memory/activity.js'
import { examine, survey } from '../shared-memory/survey.js'
import type { LockSource } from './source.js'

export const thisMachine: LockSource = {
  list: () => survey().locks,
  inspect: examine,
  activity: (refs) => (refs.length === 0 ? listActivity() : refs.flatMap((ref) => activityOfRef(ref) ?? [])),
  close() {},
}

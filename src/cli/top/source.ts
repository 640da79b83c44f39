// Where the locks come from that are shown.
import { type Activity, activityOfRef, listActivity } from '../../shared-memory/activity.js'
import type { Awaitable, RWLockRef } from '../../types.js'

/** Looks at the locks without opening them. */
export type Source = () => Awaitable<Activity[]>

/** The locks that are given, those of them that exist; without any, all named locks of this user. */
export function sourceOf(refs: readonly RWLockRef[]): Source {
  if (refs.length === 0) return listActivity
  return () => refs.flatMap((ref) => activityOfRef(ref) ?? [])
}

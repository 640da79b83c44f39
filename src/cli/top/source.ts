import type { Awaitable } from '../../types.js'
import type { FoundActivity } from '../source.js'

/** Looks at the locks without opening them. */
export type Source = () => Awaitable<FoundActivity[]>

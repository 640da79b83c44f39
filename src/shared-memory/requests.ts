import type { PendingRequest } from '../pending.js'

/** The requests of this copy of the library that the addon has not settled, by key. */
export const requests = new Map<number, PendingRequest<number>>()

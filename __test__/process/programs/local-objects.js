// A module with a local(): each thread and process that loads it has its own.
import { local } from 'process-rwlock'

export let made = 0
export const mine = local(() => ({ number: ++made, list: [made] }))
/** @type {{ text?: string, nested?: object }} */
export const bare = local()

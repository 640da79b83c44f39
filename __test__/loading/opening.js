/**
 * The arguments of the addon's `open` for a lock with this name.
 *
 * @param {string} name
 */
export const opening = (name) => ({ name, label: '', thread: 0, durable: true, anonymous: false, last: true })

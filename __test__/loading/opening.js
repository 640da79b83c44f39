/**
 * What the addon's `open` is told of a lock with this name.
 *
 * @param {string} name
 */
export const opening = (name) => ({ name, label: '', thread: 0, durable: true, anonymous: false, last: true })

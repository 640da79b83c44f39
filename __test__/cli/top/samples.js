// Locks as `top` sees them, made up for the tests.

/** @param {Partial<import('../../../dist/types.js').Holder>} [fields] */
export const holder = (fields = {}) => ({
  pid: 100,
  threadId: 0,
  mode: /** @type {'read' | 'write' | 'upgradable'} */ ('write'),
  count: 1,
  label: 'node',
  ms: 5,
  ...fields,
})

/** @param {Partial<import('../../../dist/types.js').Waiter>} [fields] */
export const waiter = (fields = {}) => ({ ...holder(), more: 0, ...fields })

/**
 * @param {string} name
 * @param {Partial<import('../../../dist/types.js').LockSnapshot>} [fields]
 * @param {{ requests?: number | bigint, created?: number | bigint }} [counters]
 * @returns {import('../../../dist/shared-memory/activity.js').Activity}
 */
export const activity = (name, fields = {}, { requests = 0, created = 1 } = {}) => ({
  snapshot: {
    name,
    holders: [],
    waiters: [],
    contended: false,
    token: 1000n,
    ownerDied: null,
    capacity: 128,
    maxReaders: null,
    value: null,
    valueToken: null,
    ...fields,
  },
  requests: BigInt(requests),
  created: BigInt(created),
})

// The limits and defaults of the lock, as the addon exports them. Their documented values are
// literals in one test each: `storage/named-locks.test.js`, `opening.test.js`.
/** @type {{ binding: typeof import('../../index.js') }} */
const { binding } = await import(new URL('../../dist/shared-memory/binding.js', import.meta.url).href)
export const {
  DEFAULT_CAPACITY,
  MAX_CAPACITY,
  MAX_LABEL_BYTES,
  MAX_NAME_BYTES,
  MAX_READERS,
  MAX_VALUE_BYTES,
} = binding

// A child that updates files on command, in the protocol of the helper child.
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { readJSON, updateFileSync, updateJSON, updateJSONSync } from 'process-rwlock/file'

const ops = {
  /** Sets `a` of the file to `value`. */
  set: ({ file, value, options }) =>
    updateJSON(file, (old) => ({ ...old, a: value }), { default: {}, ...options }),
  setSync: ({ file, value, options }) =>
    updateJSONSync(file, (old) => ({ ...old, a: value }), { default: {}, ...options }),
  /** Makes the file as large as this. */
  fill: ({ file, bytes }) => void updateFileSync(file, () => Buffer.alloc(bytes), { default: '' }),
  read: ({ file }) => readJSON(file),
  /** Holds the lock of the file until it is killed. */
  hold: ({ file, options }) =>
    new Promise((resolve) => {
      const hang = () => {
        resolve(null)
        return new Promise(() => {})
      }
      void updateJSON(file, hang, { default: {}, ...options })
    }),
  create: ({ file }) => writeFileSync(file, '{}'),
  stat: ({ file }) => {
    const { mode, uid, gid } = statSync(file)
    return { mode: mode & 0o7777, uid, gid }
  },
  list: ({ dir }) => readdirSync(dir).toSorted(),
  /** Ends with nothing left to do. Answers first. */
  finish: () => void setImmediate(() => process.disconnect()),
  umask: ({ mask }) => process.umask(mask),
}

process.on('message', async (/** @type {any} */ { id, op, args }) => {
  try {
    process.send?.({ type: 'answer', id, value: await ops[op](args) })
  } catch ({ name, code, message, path, syscall }) {
    process.send?.({ type: 'answer', id, error: { name, code, message, path, syscall } })
  }
})
process.send?.({ type: 'ready' })

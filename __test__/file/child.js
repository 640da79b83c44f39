// A child that updates files on command, in the protocol of the child of the kit.
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { readJSON, updateFileSync, updateJSON, updateJSONSync } from 'process-rwlock/file'

const ops = {
  /** Sets `key` of the file to `value`. */
  set: ({ file, key, value, options }) =>
    updateJSON(file, (content) => ({ ...content, [key]: value }), { default: {}, ...options }),
  setSync: ({ file, key, value, options }) =>
    updateJSONSync(file, (content) => ({ ...content, [key]: value }), { default: {}, ...options }),
  fill: ({ file, bytes }) => void updateFileSync(file, () => Buffer.alloc(bytes), { default: '' }),
  read: ({ file }) => readJSON(file),
  /** Writes the file in place. */
  write: ({ file, text, mode }) => {
    writeFileSync(file, text)
    if (mode !== undefined) chmodSync(file, mode)
  },
  text: ({ file }) => readFileSync(file, 'utf8'),
  stat: ({ file }) => {
    const { mode, uid, gid } = statSync(file)
    return { mode: mode & 0o7777, uid, gid }
  },
  chmod: ({ file, mode }) => chmodSync(file, mode),
  list: ({ dir }) => readdirSync(dir).sort(),
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

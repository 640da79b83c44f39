// A child that locks files on command, with the module that its first argument names, in the
// protocol of the helper child.
import { readFileSync, writeFileSync } from 'node:fs'

const { default: lockfile } = await import(process.argv[2])
/** @type {Array<() => Promise<void>>} */
const releases = []

const ops = {
  lock: async ({ file, options }) => void releases.push(await lockfile.lock(file, options)),
  release: () => releases.shift()?.(),
  check: ({ file, options }) => lockfile.check(file, options),
  checkSync: ({ file, options }) => lockfile.checkSync(file, options),
  exit: () => void setImmediate(() => process.exit(0)),
  /** Adds 1 to the number in the file, so many times. */
  add: async ({ file, times, options }) => {
    for (let time = 0; time < times; time++) {
      const release = await lockfile.lock(file, options)
      const number = Number(readFileSync(file, 'utf8'))
      await new Promise((resolve) => setImmediate(resolve))
      writeFileSync(file, String(number + 1))
      await release()
    }
  },
}

process.on('message', async (/** @type {any} */ { id, op, args }) => {
  try {
    process.send?.({ type: 'answer', id, value: await ops[op](args) })
  } catch ({ name, code, message }) {
    process.send?.({ type: 'answer', id, error: { name, code, message } })
  }
})
process.send?.({ type: 'ready' })

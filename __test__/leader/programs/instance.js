// Is the only instance, or says which process is. It drops the guard at once. (Started with --expose-gc.)
//
//   node instance.js NAME VALUE
import { setTimeout } from 'node:timers/promises'
import { lockInfo, tryInstance } from 'process-rwlock/leader'

const [name, value] = process.argv.slice(2)
/** @type {string[]} */
const warnings = []
process.on('warning', ({ message }) => warnings.push(message))

const state = () => {
  const guard = tryInstance(name, { value, label: 'an instance' })
  return guard === null ? { other: lockInfo(name)?.pid } : { ownerDied: guard.ownerDied?.pid ?? null }
}

process.send?.({ type: 'started', ...state() })
process.on('message', async () => {
  for (let round = 0; round < 20; round++) {
    globalThis.gc?.()
    await setTimeout(5)
  }
  process.send?.({ type: 'collected', warnings })
})

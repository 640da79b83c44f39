// Opens many locks in one folder, and increments the word that each of them protects.
import { setTimeout as sleep, setImmediate as tick } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'
import { mapPage } from '../../helpers/shared-page.js'

const { dir, page, handles } = JSON.parse(process.argv[2])
const memory = mapPage(page, 8 * (handles + 1))
const words = new Float64Array(memory.buffer, memory.byteOffset, handles + 1)
const locks = Array.from({ length: handles }, (_, index) => new RWLock({ path: `${dir}/${index}.lock` }))
process.send?.({ type: 'ready' })
// The last word is the start flag.
while (words[handles] === 0) await sleep(1)
// Each process begins with another lock, so that they contend.
for (let turn = 0; turn < handles; turn++) {
  const index = (turn + process.pid) % handles
  await locks[index].write(async () => {
    const before = words[index]
    await tick()
    words[index] = before + 1
  })
}
for (const lock of locks) lock.close()
process.send?.({ type: 'report' })
process.disconnect()

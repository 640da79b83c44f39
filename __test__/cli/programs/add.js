// Adds to the number in a file, under a lock: name, file, times.
import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'

const [name = '', file = '', times] = process.argv.slice(2)
const lock = new RWLock(name)
for (let i = 0; i < Number(times); i++) {
  await lock.write(async () => {
    const value = Number(await readFile(file, 'utf8'))
    await setTimeout(5)
    await writeFile(file, String(value + 1))
  })
  await setTimeout(20)
}
process.disconnect()

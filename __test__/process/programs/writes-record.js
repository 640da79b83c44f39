// Writes a shared record several times, and reports the values that it wrote and the value that it
// reads at the end.
import { setTimeout as sleep } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'
import { SharedRecord } from '../../helpers/shared-record.js'

const { ref, page, actor, times } = JSON.parse(process.argv[2])
const record = new SharedRecord(page, actor)
const lock = new RWLock(ref)
process.send?.({ type: 'ready' })
while (!record.started) await sleep(1)

const values = []
for (let i = 0; i < times; i++) {
  await lock.write(async () => {
    record.enter('write')
    values.push(await record.write(() => sleep(1)))
    record.leave('write')
  })
}
const seen = await lock.read(() => record.check())
process.send?.({ type: 'report', values, seen, violations: record.violations })
process.disconnect()

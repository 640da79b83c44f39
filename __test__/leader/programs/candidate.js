// Waits for the lead, again and again, and says what happens. While it leads, it watches that no other does.
// Its term ends with the first message; after "quit" it ends, after any other it waits for the next message.
//
//   node candidate.js NAME LOG [VALUE]

import { once } from 'node:events'
import { appendFileSync, readFileSync } from 'node:fs'
import { lead } from 'process-rwlock/leader'

const [name, log, value] = process.argv.slice(2)
const text = (/** @type {Uint8Array | null} */ bytes) => bytes && new TextDecoder().decode(bytes)
const send = (/** @type {object} */ message) => process.send?.(message)

const onOther = (/** @type {{ pid: number }} */ { pid }, /** @type {Uint8Array | null} */ value) =>
  send({ type: 'other', pid, value: text(value) })

for (;;) {
  const end = await lead(
    name,
    async (_, guard) => {
      const own = `${process.pid} ${guard.token}`
      appendFileSync(log, `${own}\n`)
      const watch = setInterval(() => {
        const last = readFileSync(log, 'utf8').trimEnd().split('\n').at(-1)
        if (last !== own) appendFileSync(`${log}.overlaps`, `${own}, then ${last}\n`)
      }, 2)
      send({ type: 'leads', token: guard.token, ownerDied: guard.ownerDied?.pid })
      const [end] = await once(process, 'message')
      clearInterval(watch)
      return end
    },
    { value, label: `candidate ${value}`, onOther },
  )
  send({ type: 'led', end })
  if (end === 'quit') break
  await once(process, 'message')
}
process.disconnect()

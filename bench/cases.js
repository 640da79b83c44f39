// What is measured in this process. Each case has a loop of its own: a shared one would be slower for all after the first.
import { RWLock } from 'process-rwlock'
import { hasEvents } from '../index.js'

const WRITERS = 100

function empty() {}
async function emptyAsync() {}

/** What nobody can go below. */
export const floors = [
  {
    name: 'empty function',
    run(times) {
      for (let i = 0; i < times; i++) empty()
    },
  },
  {
    name: 'native function without arguments',
    run(times) {
      for (let i = 0; i < times; i++) hasEvents()
    },
  },
  {
    name: 'await of a resolved promise',
    async run(times) {
      const resolved = Promise.resolve()
      for (let i = 0; i < times; i++) await resolved
    },
  },
  {
    name: 'await of an empty async function',
    async run(times) {
      for (let i = 0; i < times; i++) await emptyAsync()
    },
  },
]

/** @param {RWLock} lock that nobody else uses */
export function ours(lock) {
  return [
    {
      name: 'tryRead() and release()',
      run(times) {
        for (let i = 0; i < times; i++) lock.tryRead()?.release()
      },
    },
    {
      name: 'tryWrite() and release()',
      run(times) {
        for (let i = 0; i < times; i++) lock.tryWrite()?.release()
      },
    },
    {
      name: 'await acquireRead() and release()',
      async run(times) {
        for (let i = 0; i < times; i++) (await lock.acquireRead()).release()
      },
    },
    {
      name: 'await acquireWrite() and release()',
      async run(times) {
        for (let i = 0; i < times; i++) (await lock.acquireWrite()).release()
      },
    },
    {
      name: 'await read(() => {})',
      async run(times) {
        for (let i = 0; i < times; i++) await lock.read(() => {})
      },
    },
    {
      name: 'await write(() => {})',
      async run(times) {
        for (let i = 0; i < times; i++) await lock.write(() => {})
      },
    },
    {
      name: `write(async () => {}), ${WRITERS} at once`,
      async run(times) {
        for (let done = 0; done < times; done += WRITERS) {
          const writers = []
          for (let i = 0; i < WRITERS && done + i < times; i++) writers.push(lock.write(async () => {}))
          await Promise.all(writers)
        }
      },
    },
  ]
}

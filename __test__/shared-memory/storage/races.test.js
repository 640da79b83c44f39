// Many processes create, open, close and remove one lock at the same time. A counter shows that
// they exclude each other: each process reads it from a file and writes it back, protected only by
// the lock.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  linuxTest,
  sandbox,
  sandboxTest,
  spawnNode,
  tempDir,
  timeoutFactor,
  waitFor,
} from '../../helpers/index.js'
import { BYTES } from './layout.js'

const opener = new URL('./programs/opens-and-counts.js', import.meta.url)
const churn = new URL('./programs/opens-and-closes.js', import.meta.url)
/** ms; for waits for the start of 50 processes on a loaded machine. */
const LATE = { bound: 60_000 }
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

function counterIn(dir) {
  const counter = join(dir, 'counter')
  writeFileSync(counter, '0')
  return { counter, count: () => Number(readFileSync(counter, 'utf8')) }
}

sandboxTest(
  '50 processes that create one lock at the same time get one lock, by name or by path, and leave nothing',
  async (t) => {
    t.timeout(90_000 * timeoutFactor)
    const box = await sandbox(t)
    const dir = tempDir(t)
    const children = Array.from({ length: 50 }, () => box.spawnNode(opener))
    for (const child of children) await child.next('ready', LATE)

    for (let round = 0; round < 2; round++) {
      for (const ref of [`lock ${round}`, { path: join(dir, `lock ${round}`) }]) {
        const { counter, count } = counterIn(dir)
        for (const child of children) child.send({ ref, counter, writes: 4, wait: round > 0 })
        const tokens = []
        for (const child of children) {
          const done = await child.next('done', LATE)
          t.is(done.error, undefined)
          for (const [index, token] of done.tokens.entries())
            t.true(index === 0 || token > done.tokens[index - 1])
          tokens.push(...done.tokens)
        }
        t.is(count(), 200, 'a write was lost')
        t.is(new Set(tokens).size, 200, 'a token was given twice')
        t.deepEqual(box.leftOvers(), [])
        if (typeof ref === 'object') t.is(statSync(ref.path).size, BYTES)
      }
    }
    t.deepEqual(readdirSync(dir).toSorted(), ['counter', 'lock 0', 'lock 1'])
  },
)

sandboxTest('60 processes that open and close one lock repeatedly at the same time all get it', async (t) => {
  t.timeout(90_000 * timeoutFactor)
  const box = await sandbox(t)
  const dir = tempDir(t)
  const children = Array.from({ length: 60 }, () => box.spawnNode(opener))
  for (const child of children) await child.next('ready', LATE)
  for (const ref of ['a lock', { path: join(dir, 'lock') }]) {
    const { counter, count } = counterIn(dir)
    for (const child of children) child.send({ ref, counter, writes: 2, lives: 30 })
    for (const child of children) t.is((await child.next('done', LATE)).error, undefined)
    t.is(count(), 120, 'a write was lost')
    t.deepEqual(box.leftOvers(), [])
  }
})

/** Ten processes for some seconds. */
async function churning(t, start, ref, { removes = false } = {}) {
  const { counter, count } = counterIn(tempDir(t))
  const args = [ref, counter, removes].map((argument) => JSON.stringify(argument))
  const children = Array.from({ length: 10 }, () => start(args))
  for (const child of children) await child.next('ready', LATE)
  await sleep(1500)
  for (const child of children) child.send('stop')
  let writes = 0
  for (const child of children) {
    const stopped = await child.next('stopped', LATE)
    t.true(stopped.writes > 0, 'one of them never got the lock')
    writes += stopped.writes
    t.deepEqual(await child.exited, { code: 0, signal: null })
  }
  t.log(`${writes} times opened, written and closed`)
  t.is(count(), writes, 'a write was lost')
}

sandboxTest('continuous opening and closing of one name never makes it two locks', async (t) => {
  const box = await sandbox(t)
  await churning(t, (args) => box.spawnNode(churn, args), 'a lock')
  t.deepEqual(box.leftOvers(), [])
})

sandboxTest('continuous removal of one name never makes it two locks', async (t) => {
  const box = await sandbox(t)
  await churning(t, (args) => box.spawnNode(churn, args), 'a lock', { removes: true })
  t.deepEqual(box.leftOvers(), [])
})

linuxTest('continuous opening and closing of one path never makes it two locks', async (t) => {
  const path = join(tempDir(t), 'lock')
  await churning(t, (args) => spawnNode(t, churn, args), { path })
  t.is(statSync(path).size, BYTES)
})

linuxTest('continuous removal of one path never makes it two locks', async (t) => {
  const path = join(tempDir(t), 'lock')
  await churning(t, (args) => spawnNode(t, churn, args), { path }, { removes: true })
  t.false(existsSync(path))
})

sandboxTest(
  'processes killed at any point of opening, writing and closing leave a lock that works',
  async (t) => {
    const box = await sandbox(t)
    const { counter, count } = counterIn(tempDir(t))
    const args = ['a lock', counter, false].map((argument) => JSON.stringify(argument))
    const start = () => box.spawnNode(churn, args)
    const survivors = [start(), start()]
    for (const child of survivors) await child.next('ready', LATE)
    for (let round = 0; round < 10; round++) {
      const victims = [start(), start()]
      for (const child of victims) await child.next('ready', LATE)
      await sleep(Math.random() * 40)
      await Promise.all(victims.map((child) => child.kill()))
      const before = count()
      await waitFor(() => count() !== before, { what: 'the live processes continue' })
    }
    for (const child of survivors) child.send('stop')
    for (const child of survivors) await child.next('stopped')
    t.deepEqual(box.leftOvers(), [])
  },
)

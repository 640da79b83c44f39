// process-rwlock/file: what is left when processes are killed while they update a file.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readJSON, updateJSON } from 'process-rwlock/file'
import { linuxTest, spawnNode, tempDir, test } from '../helpers/index.js'

const PROCESSES = 8
const UPDATES = 200
const KILL_INTERVAL = 50 // ms
// Updates that a process may finish before it can be killed: with fewer, the time goes into
// starting processes.
const UPDATES_PER_LIFE = 5

test('processes that are killed every 50 ms lose no update that was acknowledged', async (t) => {
  t.timeout(100_000)
  const dir = tempDir(t)
  const file = join(dir, 'counts.json')
  /** The last number that each process was told it has written. @type {number[]} */
  const acknowledged = Array(PROCESSES).fill(0)
  /** Those that have written, and may be killed. @type {Map<number, any>} */
  const killable = new Map()
  let isOver = false
  let kills = 0

  const run = async (/** @type {number} */ own) => {
    const form = own % 2 === 0 ? 'sync' : 'async'
    for (;;) {
      const args = [file, `p${own}`, String(UPDATES), form]
      const child = spawnNode(t, new URL('./programs/counter.js', import.meta.url), args)
      try {
        for (let updates = 1; ; updates++) {
          const { count } = await child.next('counted')
          // A restarted process may have been killed between its write and the acknowledgement.
          t.true(
            count > acknowledged[own] || count === UPDATES,
            `p${own}: ${acknowledged[own]}, then ${count}`,
          )
          acknowledged[own] = count
          if (count === UPDATES) return
          if (updates === UPDATES_PER_LIFE) killable.set(own, child)
        }
      } catch (error) {
        const { signal } = await child.exited
        if (signal !== 'SIGKILL') throw error
      } finally {
        killable.delete(own)
      }
    }
  }

  const killer = setInterval(() => {
    const candidates = [...killable]
    const [own, child] = candidates[Math.floor(Math.random() * candidates.length)] ?? []
    if (child === undefined) return
    killable.delete(own)
    kills++
    child.kill()
  }, KILL_INTERVAL)
  const reading = watch(t, file, () => isOver)
  try {
    await Promise.all(acknowledged.map((_, own) => run(own)))
  } finally {
    isOver = true
    clearInterval(killer)
  }
  const reads = await reading

  t.true(kills > 0)
  t.true(reads > 0)
  const counts = await readJSON(file)
  t.deepEqual(counts, {
    ...Object.fromEntries(acknowledged.map((_, own) => [`p${own}`, UPDATES])),
    sum: PROCESSES * UPDATES,
  })
  await updateJSON(file, () => ({ done: true }))
  t.deepEqual(readdirSync(dir), ['counts.json'])
  t.log(`${kills} kills, ${reads} reads`)
})

/**
 * Reads the file until `isOver`: it is never torn, never empty, and never older than before.
 * Returns how often.
 */
async function watch(t, file, isOver) {
  let reads = 0
  let last = 0
  while (!isOver()) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    const text = readFileIfPresent(file)
    if (text === null) {
      t.is(reads, 0, 'the file vanished')
      continue
    }
    const { sum, ...counts } = JSON.parse(text)
    t.is(
      Object.values(counts).reduce((total, count) => total + count, 0),
      sum,
    )
    t.true(sum >= last)
    last = sum
    reads++
  }
  return reads
}

function readFileIfPresent(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}

const STEPS = {
  'inside fn': 'old',
  'before the temporary file': 'old',
  'before the write': 'old',
  'in the middle of the write': 'old',
  'before the mode': 'old',
  'before the sync': 'old',
  'before the close': 'old',
  'before the rename': 'old',
  'before the sync of the folder': 'new',
  'before the end': 'new',
}

for (const [step, content] of Object.entries(STEPS)) {
  linuxTest(
    `a process that is killed ${step} leaves the ${content} content, and the next update cleans up`,
    async (t) => {
      const dir = tempDir(t)
      const file = join(dir, 'state.json')
      writeFileSync(file, '{"old":1}', { mode: 0o640 })
      const child = spawnNode(t, new URL('./programs/stops.js', import.meta.url), [file, step])
      await child.next('stopped')
      t.is(
        (await readJSON(file)).new !== undefined,
        content === 'new',
        'a reader does not wait for a stopped writer',
      )
      await child.kill()

      const left = await readJSON(file)
      t.deepEqual(left, content === 'new' ? { old: 1, new: 'x'.repeat(1000) } : { old: 1 })
      const hasTemporary = content === 'old' && step !== 'inside fn' && step !== 'before the temporary file'
      t.is(readdirSync(dir).length, hasTemporary ? 2 : 1)
      if (hasTemporary) {
        const temporary = readdirSync(dir).find((name) => name !== 'state.json')
        t.regex(String(temporary), new RegExp(`^\\.state\\.json\\.${child.pid}-[0-9a-f]{12}\\.rwlock-tmp$`))
      }
      await updateJSON(file, () => {}) // changes nothing, and cleans up all the same
      t.deepEqual(readdirSync(dir), ['state.json'])
      t.deepEqual(await readJSON(file), left)
      t.is(statSync(file).mode & 0o777, 0o640)
    },
  )
}

test('only the temporary files of the same file are removed', async (t) => {
  const dir = tempDir(t)
  const stays = [
    '.a.json.123-0123456789ab.rwlock-tmp.gz',
    '.a.json.123-0123456789AB.rwlock-tmp',
    '.a.json.rwlock-tmp',
    '.b.a.json.123-0123456789ab.rwlock-tmp',
    '.b.json.123-0123456789ab.rwlock-tmp',
    'a.json.123-0123456789ab.rwlock-tmp',
  ]
  for (const name of [...stays, '.a.json.123-0123456789ab.rwlock-tmp']) writeFileSync(join(dir, name), '')
  await updateJSON(join(dir, 'a.json'), () => 1, { default: 0 })
  t.deepEqual(readdirSync(dir).toSorted(), [...stays, 'a.json'].toSorted())
})

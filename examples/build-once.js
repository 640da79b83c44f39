// Four test workers need the same build. One of them builds it, the others wait and use it.
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'

const lock = new RWLock('my-app/test-build')

/** Builds `source` unless that has been done. Resolves with the path of the complete output. */
export async function buildOnce(source, output, build) {
  const wanted = createHash('sha256')
    .update(await readFile(source))
    .digest('hex')
  const isFresh = async () => (await readFile(`${output}.stamp`, 'utf8').catch(() => '')) === wanted

  return lock.ensure(
    async () => ((await isFresh()) ? output : undefined), // shared with other readers
    async () => {
      await build(source, output) // exclusive
      await writeFile(`${output}.stamp`, wanted) // last: a build that failed has no stamp
      return output
    },
  )
}

const [given] = process.argv.slice(2)
if (given === undefined) {
  const directory = await mkdtemp(join(tmpdir(), 'build-once-'))
  const source = join(directory, 'source.txt')
  await writeFile(source, 'hello')

  const children = Array.from({ length: 4 }, () => fork(import.meta.filename, [source]))
  const builds = children.map(async (child) => (await once(child, 'message'))[0])
  console.log((await Promise.all(builds)).sort().join()) // 0,0,0,1
  console.log(await readFile(`${source}.out`, 'utf8')) // HELLO
  await rm(directory, { recursive: true })
} else {
  let builds = 0
  await buildOnce(given, `${given}.out`, async (source, output) => {
    builds++
    await writeFile(output, (await readFile(source, 'utf8')).toUpperCase())
  })
  process.send?.(builds)
  process.disconnect()
}

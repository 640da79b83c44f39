// Four cluster workers count in one file. Without the lock most of their increments would be lost.
import cluster from 'node:cluster'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'

if (cluster.isPrimary) {
  const directory = await mkdtemp(join(tmpdir(), 'cluster-'))
  const file = join(directory, 'count.txt')
  await writeFile(file, '0')
  const workers = Array.from({ length: 4 }, () => cluster.fork({ FILE: file }))
  await Promise.all(workers.map((worker) => once(worker, 'exit')))
  console.log(await readFile(file, 'utf8')) // 100
  await rm(directory, { recursive: true })
} else {
  const file = process.env.FILE ?? ''
  const lock = new RWLock('my-app/count') // the same name is the same lock in every process

  for (let i = 0; i < 25; i++) {
    await lock.write(async () => {
      const count = Number(await readFile(file, 'utf8'))
      await writeFile(file, String(count + 1))
    })
  }
  process.disconnect() // otherwise the channel to the primary keeps the worker alive
}

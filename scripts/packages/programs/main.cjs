// CommonJS, with an ES module beside it.
const required = require('process-rwlock')
const { same } = require('./same.cjs')
const { waits } = require('./waits.cjs')

async function main() {
  const imported = await import('process-rwlock')
  same(imported, required)
  same(await import('process-rwlock/file'), require('process-rwlock/file'))
  same(await import('process-rwlock/leader'), require('process-rwlock/leader'))
  same(await import('process-rwlock/web-locks'), require('process-rwlock/web-locks'))
  same(await import('process-rwlock/postgres'), require('process-rwlock/postgres'))
  const { default: lockfile } = await import('process-rwlock/proper-lockfile')
  if (lockfile !== require('process-rwlock/proper-lockfile')) throw new Error('two copies')
  ;(await lockfile(__filename))()
  console.log(await waits(imported.RWLock, required.RWLock))
}

main()

// Is bundled together with the package.
const { RWLock } = require('process-rwlock')

console.log(RWLock.name)

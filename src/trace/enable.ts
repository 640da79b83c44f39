// PROCESS_RWLOCK_TRACE=FILE writes what the locks of this thread do to a file. Without it nothing
// of this folder is loaded.
import { isFirstCopy, variable } from '../environment.js'

const file = variable('PROCESS_RWLOCK_TRACE')
if (file !== '' && isFirstCopy('recorded')) {
  const { record } = require('./record.js') as typeof import('./record.js')
  record(file)
}

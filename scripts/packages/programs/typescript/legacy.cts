import required = require('process-rwlock')

export { required }

import { type Check, ok } from './check.js'
import { counted } from './names.js'

/**
 * Whether the locks in a database can be read: the connection, the privileges, the schema, and the
 * server. Its errors name the remedy.
 */
export const database: Check = {
  name: 'database',
  title: 'database',
  async run(machine) {
    return ok(`${counted((await machine.reports()).length, 'lock')}`)
  },
}

import { type Check, ok } from './check.js'

/** Whether the addon is installed and can be loaded. Its error names the remedy. */
export const addon: Check = {
  name: 'addon',
  title: 'addon',
  run(machine) {
    machine.load()
    const file = Object.keys(require.cache).find((file) => /process-rwlock[^/\\]*\.node$/.test(file))
    const { version } = require('../../../package.json') as { version: string }
    return ok(`version ${version}, ${file}`)
  },
}

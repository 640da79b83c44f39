// A registry of npm packages on this machine, without any other packages. It ends with this
// process.
import { once } from 'node:events'
import { join } from 'node:path'

/**
 * @param {string} storage an empty directory
 * @returns {Promise<{ url: string, close: () => Promise<unknown> }>}
 */
export async function startRegistry(storage) {
  const name = 'verdaccio' // not a literal: the package is not installed yet when this file is loaded or its types are checked
  const { runServer } = await import(name)
  /** @type {import('node:http').Server} */
  const server = await runServer({
    storage,
    configPath: join(storage, 'config.yaml'),
    auth: { htpasswd: { file: join(storage, 'htpasswd') } },
    uplinks: {},
    packages: { '**': { access: '$all', publish: '$all' } },
    web: { enable: false },
    log: { type: 'stdout', level: 'fatal' },
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      server.closeAllConnections()
      server.close()
      return once(server, 'close')
    },
  }
}

// pgbouncer, a connection pooler, in front of a server.
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cleanUp } from '../cleanup.js'
import { waitFor } from '../time.js'
import { KeptServer } from './kept.js'
import { answers, freePort } from './ports.js'
import { pgbouncer } from './programs.js'

/**
 * Starts pgbouncer, which ends with the test.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {{ port: number }} server
 * @param {'session' | 'transaction' | 'statement'} mode when it takes a server session from its client
 * @param {Record<string, string | number>} [settings] of its configuration file
 */
export async function startBouncer(t, server, mode, settings = {}) {
  const bouncer = new KeptServer()
  cleanUp(t, 'names', () => bouncer.destroy())
  const folder = await bouncer.ask('folder')
  const file = join(folder, 'pgbouncer.ini')
  const lines = {
    listen_addr: '127.0.0.1',
    listen_port: 0,
    unix_socket_dir: '',
    // Every client is let in, as the user of the line in [databases].
    auth_type: 'any',
    pool_mode: mode,
    ignore_startup_parameters: 'extra_float_digits',
    ...settings,
  }
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    lines.listen_port = port
    writeFileSync(
      file,
      [
        '[databases]',
        `* = host=127.0.0.1 port=${server.port} user=postgres`,
        '[pgbouncer]',
        ...Object.entries(lines).map(([name, value]) => `${name} = ${value}`),
        '',
      ].join('\n'),
    )
    chmodSync(file, 0o644)
    await bouncer.launch(/** @type {string} */ (pgbouncer), [file])
    const started = await waitFor(
      async () => (bouncer.pid === undefined ? 'ended' : (await answers(port)) && 'answers'),
      { every: 20, what: `pgbouncer answers on port ${port}` },
    )
    if (started === 'answers') return { port, url: `postgres://postgres@127.0.0.1:${port}/postgres` }
    // Another process may have taken the port meanwhile.
    if (attempt === 5) throw new Error(`pgbouncer did not start:\n${await bouncer.ask('output')}`)
  }
}

// Real PostgreSQL servers for the tests: on a free port of the loopback interface, with their data in
// a temporary folder.
import { chownSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { generate } from 'selfsigned'
import { cleanUp } from '../cleanup.js'
import { waitFor } from '../time.js'
import { KeptServer } from './kept.js'
import { freePort } from './ports.js'
import { packagedPostgres } from './programs.js'

/** @typedef {Record<string, string | number | boolean>} Settings */

/**
 * `disk`: a small disk for its folder, mounted at an empty one; only for root.
 *
 * @typedef {{ programs?: import('./programs.js').Programs, settings?: Settings, disk?: { size: string, at: string } }} Options
 */

// Killing a server loses nothing that it has written, so fsync would only slow the tests down.
/** @type {Settings} */
const SETTINGS = {
  fsync: 'off',
  max_connections: 200,
  shared_buffers: '16MB',
  // In the folder, so that a killed server leaves nothing in /dev/shm.
  dynamic_shared_memory_type: 'mmap',
  max_wal_size: '64MB',
  timezone: 'UTC',
  log_min_messages: 'warning',
  // How often a standby looks for more.
  wal_retrieve_retry_interval: '50ms',
}

/**
 * Starts a server, which ends with the test.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {Options} [options]
 */
export async function startServer(t, options) {
  const server = new PostgresServer(options)
  cleanUp(t, 'files', () => server.destroy())
  await server.create()
  return server
}

export class PostgresServer extends KeptServer {
  port = 0
  /** Its temporary folder; the data is in `data`. */
  folder = ''
  #programs
  #settings
  /** @type {Promise<pg.Client> | undefined} */
  #client

  /** @param {Options} [options] */
  constructor({ programs, settings = {}, disk } = {}) {
    super(disk && { disk })
    this.#programs = programs
    this.#settings = { ...SETTINGS, ...settings }
  }

  /** Makes the data of a new server, and starts it. */
  async create() {
    this.folder = await this.ask('folder')
    const { bin } = await this.#readablePrograms()
    await this.ask('run', {
      command: join(bin, 'initdb'),
      args: [
        ...['--pgdata', 'data', '--username', 'postgres', '--auth', 'trust', '--encoding', 'UTF8'],
        ...['--no-locale', '--no-sync', '--no-instructions', '--wal-segsize', '1'],
      ],
    })
    await this.start()
  }

  /** For `new pg.Client()` and the like. @param {{ user?: string, database?: string, port?: number }} [options] */
  url({ user = 'postgres', database = 'postgres', port = this.port } = {}) {
    return `postgres://${user}@127.0.0.1:${port}/${database}`
  }

  /** Starts the server on the port that it had, and waits until it takes connections. @param {Settings} [settings] for this time */
  async start(settings = {}) {
    const { bin } = await this.#readablePrograms()
    const fixed = this.port !== 0
    for (let attempt = 1; ; attempt++) {
      if (!fixed) this.port = await freePort()
      const all = { ...this.#settings, ...settings, port: this.port }
      await this.launch(join(bin, 'postgres'), [
        ...['-D', 'data', '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
        ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ])
      const started = await waitFor(
        async () =>
          this.pid === undefined
            ? 'ended'
            : (await canConnect({ connectionString: this.url() })) && 'answers',
        { bound: 30_000, every: 20, what: `PostgreSQL answers on port ${this.port}` },
      )
      if (started === 'answers') return
      const output = await this.ask('output')
      // Between the choice of a free port and its use another process can take it.
      if (attempt === 5 || !/could not bind|Address already in use/.test(output)) {
        throw new Error(`PostgreSQL did not start:\n${output}`)
      }
    }
  }

  /**
   * Stops the server: `smart` waits for its clients, `fast` disconnects them, `immediate` crashes it.
   *
   * @param {'smart' | 'fast' | 'immediate'} [mode]
   */
  async stop(mode = 'fast') {
    await this.#disconnect()
    await this.end(mode === 'smart' ? 'SIGTERM' : mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
  }

  /** Kills the server's main process; the others then end by themselves. */
  async kill() {
    await this.#disconnect()
    const pids = await this.#processes()
    await this.#disconnect()
    await this.end('SIGKILL')
    // A new server could not start before they have.
    await waitFor(() => !pids.some(isAlive), { what: 'the processes of the server end' })
  }

  /** All but the main one, which is stopped on Linux: else one that it starts now would not be among them. */
  async #processes() {
    if (process.platform !== 'linux') {
      const { rows } = await this.query('select pid from pg_stat_activity')
      return rows.map(({ pid }) => pid)
    }
    const main = /** @type {number} */ (this.pid)
    this.signal('SIGSTOP')
    await waitFor(() => statOf(main)?.state === 'T', { what: 'the server is stopped' })
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && statOf(pid)?.parent === main)
  }

  /**
   * Runs SQL as the superuser, in a session that the tests keep.
   *
   * @param {string} sql
   * @param {any[]} [values]
   * @returns {Promise<pg.QueryResult<any>>}
   */
  async query(sql, values) {
    return (await this.#session()).query(sql, values)
  }

  /** A new session. It is closed after the test. @param {import('ava').ExecutionContext<any>} t @param {pg.ClientConfig} [config] */
  async connect(t, config) {
    const client = new pg.Client({ connectionString: this.url(), ...config })
    client.on('error', () => {})
    await client.connect()
    cleanUp(t, 'locks', () => client.end().catch(() => {}))
    return client
  }

  /**
   * A standby of this server, which follows it. It ends with the test.
   *
   * @param {import('ava').ExecutionContext<any>} t
   * @param {{ synchronous?: boolean }} [options] whether commits here wait for it
   */
  async startStandby(t, { synchronous = false } = {}) {
    const standby = new PostgresServer({ programs: this.#programs, settings: this.#settings })
    cleanUp(t, 'files', () => standby.destroy())
    standby.folder = await standby.ask('folder')
    const data = join(standby.folder, 'data')
    await this.query("select pg_backup_start('standby', true)")
    const args = ['LC_ALL=C', 'cp', '-a', join(this.folder, 'data'), 'data']
    await standby.ask('run', { command: 'env', args }).catch((error) => {
      // A file may vanish meanwhile; the log has what it was for.
      const said = error.message.match(/^cp: .*$/gm) ?? []
      const isWhole = said.every((/** @type {string} */ line) => line.endsWith('No such file or directory'))
      if (said.length === 0 || !isWhole) throw error
    })
    rmSync(join(data, 'postmaster.pid'))
    const { rows } = await this.query('select labelfile from pg_backup_stop(false)')
    standby.write('backup_label', rows[0].labelfile)
    standby.write('standby.signal', '')
    const name = `standby_${this.port}_${standby.folder.slice(-6)}`
    await standby.start({
      primary_conninfo: `host=127.0.0.1 port=${this.port} user=postgres application_name=${name}`,
      hot_standby: 'on',
    })
    await waitFor(
      async () =>
        (
          await this.query(
            "select from pg_stat_replication where application_name = $1 and state = 'streaming'",
            [name],
          )
        ).rowCount,
      { what: 'the standby follows' },
    )
    if (synchronous) {
      await this.query(`alter system set synchronous_standby_names = '"${name}"'`)
      await this.query('select pg_reload_conf()')
      await waitFor(
        async () =>
          (
            await this.query(
              "select from pg_stat_replication where application_name = $1 and sync_state = 'sync'",
              [name],
            )
          ).rowCount,
        { what: 'the standby is synchronous' },
      )
    }
    return standby
  }

  /** Writes a file of its data. @param {string} name @param {string} text */
  write(name, text) {
    const data = join(this.folder, 'data')
    const { uid, gid } = statSync(data)
    writeFileSync(join(data, name), text, { mode: 0o600 })
    chownSync(join(data, name), uid, gid)
  }

  /**
   * Takes TLS connections from now on, besides others, under the name localhost. Returns the
   * certificate, which is its own authority.
   */
  async enableTls() {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
      ],
    })
    this.write('server.crt', cert)
    this.write('server.key', key)
    await this.query('alter system set ssl = on')
    await this.query('select pg_reload_conf()')
    const config = { connectionString: this.url(), ssl: { rejectUnauthorized: false } }
    await waitFor(() => canConnect(config), { what: 'the server takes TLS connections' })
    return cert
  }

  /** Makes a standby the primary. */
  async promote() {
    await this.query('select pg_promote()')
    await waitFor(async () => !(await this.query('select pg_is_in_recovery() as standby')).rows[0].standby)
  }

  /** @override */
  async destroy() {
    await this.#disconnect()
    await super.destroy()
  }

  async #readablePrograms() {
    this.#programs ??= await packagedPostgres()
    return this.#programs
  }

  #session() {
    this.#client ??= (async () => {
      const client = new pg.Client({ connectionString: this.url(), application_name: 'test' })
      const forget = () => {
        this.#client = undefined
      }
      client.on('error', forget)
      client.on('end', forget)
      await client.connect()
      return client
    })()
    return this.#client
  }

  async #disconnect() {
    const client = await this.#client?.catch(() => undefined)
    this.#client = undefined
    await client?.end().catch(() => {})
  }
}

/** @param {pg.ClientConfig} config */
async function canConnect(config) {
  const client = new pg.Client(config)
  client.on('error', () => {})
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

/** On Linux: its state and its parent, if there is such a process. @param {number} pid */
function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state, parent: Number(parent) }
  } catch {
    return undefined
  }
}

/** A zombie has ended, although its parent does not know it yet. @param {number} pid */
function isAlive(pid) {
  if (process.platform === 'linux') return !['Z', 'X', undefined].includes(statOf(pid)?.state)
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

// Opens a session: connects, and makes sure that this server can be trusted with locks.
import { LockError } from '../errors.js'
import { type Connection, connect, type PgModule, type Row, type Statement } from './adapter.js'
import { connectError } from './errors.js'
import { quoted, VERSION } from './schema.js'
import { type KeepAlive, Session } from './session.js'
import type { Statements } from './statements.js'

/** How every session of a `PostgresLocks` is opened. */
export interface SessionConfig {
  readonly pg: PgModule
  /** For `pg`. */
  readonly config: object
  /** The server in messages. */
  readonly place: string
  readonly schema: string
  readonly statements: Statements
  readonly label: string
  readonly pid: number
  readonly threadId: number
  readonly host: string
  /** In milliseconds. */
  readonly heartbeat: number
  readonly pooled: boolean
}

/** What a role or a database may have set to other values. */
const SETTINGS: Readonly<Record<string, string>> = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  synchronous_commit: 'on',
  jit: 'off',
  client_min_messages: 'error',
}

const SYSTEM_FIRST: Statement = {
  name: '',
  text: "select pg_catalog.set_config('search_path', 'pg_catalog', false)",
}

/** How the server notices that the client is gone. */
function liveness(heartbeat: number): Record<string, string> {
  const seconds = (beats: number) => String(Math.max(1, Math.ceil((beats * heartbeat) / 1000)))
  return {
    tcp_keepalives_idle: seconds(2.5),
    tcp_keepalives_interval: seconds(1),
    tcp_keepalives_count: '3',
    tcp_user_timeout: String(5 * heartbeat),
    // A process that dies while it waits should not be granted the lock afterwards.
    client_connection_check_interval: String(Math.ceil(heartbeat / 8)),
  }
}

/** `closing` ends it before it is open. */
export async function openSession(
  config: SessionConfig,
  keepAlive: KeepAlive,
  closing: AbortSignal,
  onEnd: (session: Session) => void,
): Promise<Session> {
  const givenUp = new AbortController()
  const giveUp = () => givenUp.abort(closing.reason)
  closing.addEventListener('abort', giveUp)
  let connection: Connection | undefined
  let timer: NodeJS.Timeout | undefined
  try {
    closing.throwIfAborted()
    const patience = 5 * config.heartbeat
    connection = await connect(
      config.pg,
      {
        connectionTimeoutMillis: patience,
        keepAliveInitialDelayMillis: 2.5 * config.heartbeat,
        application_name: `process-rwlock ${config.label}`.slice(0, 63),
        ...config.config,
      },
      givenUp.signal,
    )
    timer = setTimeout(() => givenUp.abort(new Error('the server does not answer')), patience)
    return await setUp(connection, config, keepAlive, onEnd)
  } catch (error) {
    connection?.end(true)
    throw connectError(config.place, error as Error)
  } finally {
    clearTimeout(timer)
    closing.removeEventListener('abort', giveUp)
  }
}

async function setUp(
  connection: Connection,
  config: SessionConfig,
  keepAlive: KeepAlive,
  onEnd: (session: Session) => void,
): Promise<Session> {
  // First the path: with that of the role, functions of others could be found before those of the system.
  const [, server, { timeline, role }] = await Promise.all([
    ask(connection, SYSTEM_FIRST, []),
    prepare(connection, config),
    look(connection),
  ])
  check(server, connection, config)
  if (role != null) {
    throw access(
      config,
      `the session has taken the role ${role}, which may not cancel a statement of the role that has logged in: let the ` +
        'owner of the schema grant the latter what `npx process-rwlock postgres grants ROLE` prints',
    )
  }
  const version = await ask(connection, config.statements.version, [])
  if (Number(version.version) < VERSION) {
    throw access(
      config,
      `schema ${config.schema} has version ${version.version}, and this client needs version ${VERSION} or later: ` +
        'call locks.migrate()',
    )
  }
  const { pid, threadId, host, label } = config
  await ask(connection, config.statements.beginSession, [pid, threadId, host, label])
  const backend = Number(server.backend)
  const epoch = epochOf(timeline as string)
  const session = new Session(connection, config.statements, backend, epoch, label, keepAlive, onEnd)
  if (session.dead !== null) throw session.dead.why
  return session
}

/** Sets what must be set, and tells what server this is. Settings that it does not know are left out. */
function prepare(connection: Connection, { heartbeat, schema }: SessionConfig): Promise<Row> {
  const settings = Object.entries({ ...SETTINGS, ...liveness(heartbeat) })
  const sets = settings.map(([name, value]) => `('${name}', '${value}')`).join(', ')
  return ask(
    connection,
    {
      name: '',
      // A session that has taken another role ("set role") may not cancel a session of its own login role.
      text: `select count(pg_catalog.set_config(s.name, s.value, false)) as set, pg_backend_pid() as backend,
          pg_is_in_recovery() as standby, current_setting('server_version_num') as version,
          case when not pg_has_role(session_user, 'usage')
              and has_schema_privilege(session_user, to_regnamespace('${quoted(schema)}'), 'usage')
            then pg_catalog.set_config('role', 'none', false) end
        from (values ${sets}) as s (name, value) join pg_catalog.pg_settings p on p.name = s.name`,
    },
    [],
  )
}

/** The timeline of the server, and the role that the session has if that cannot cancel its statements. */
function look(connection: Connection): Promise<Row> {
  return ask(
    connection,
    {
      name: '',
      text: `select case when pg_is_in_recovery() then '00000001'
          else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end as timeline,
        case when not pg_has_role(session_user, 'usage') then current_user end as role`,
    },
    [],
  )
}

/**
 * The least token of a timeline. A token never falls, also if a standby that lacks the last ones is
 * promoted: its timeline is later than that of the primary, and every timeline has tokens of its own.
 */
function epochOf(timeline: string): string {
  return String((BigInt(`0x${timeline}`) - 1n) << 40n)
}

function check(server: Row, connection: Connection, config: SessionConfig): void {
  if (server.standby === 't') {
    throw access(config, 'this is a standby, whose locks are its own: connect to the primary server')
  }
  if (Number(server.version) < 140_000) {
    throw access(config, 'PostgreSQL 14 or later is needed')
  }
  if (Number(server.backend) !== connection.pid && !config.pooled) {
    throw access(
      config,
      'there is a connection pooler in between, which may give a session to several clients, so that several would hold ' +
        "one lock: connect to the server itself, or pass { pooler: 'session' } if the pooler keeps a session for " +
        'each client until that disconnects',
    )
  }
}

function access(config: SessionConfig, message: string): LockError {
  return new LockError('ERR_LOCK_ACCESS', `PostgreSQL at ${config.place}: ${message}`)
}

function ask(connection: Connection, statement: Statement, values: readonly unknown[]): Promise<Row> {
  return new Promise((resolve, reject) => {
    connection.lost((cause) => reject(cause))
    connection.query(statement, values, (error, rows) =>
      error === null ? resolve(rows[0] ?? {}) : reject(error),
    )
  })
}

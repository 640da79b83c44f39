import type { Statement } from './adapter.js'

const TEXTS = {
  beat: () => 'select 1',
  version: (s: string) => `select version from ${s}.meta`,
  beginSession: (s: string) => `select ${s}.begin_session($1, $2, $3, $4)`,
  labelSession: (s: string) => `select ${s}.label_session($1)`,
  open: (s: string) => `select * from ${s}.open($1, $2, $3)`,
  read: (s: string) => `select * from ${s}.read($1, $2)`,
  upgradable: (s: string) => `select * from ${s}.upgradable($1, $2)`,
  write: (s: string) => `select * from ${s}.write($1, $2, $3)`,
  upgrade: (s: string) => `select * from ${s}.upgrade($1, $2, $3)`,
  tryRead: (s: string) => `select * from ${s}.try_read($1, $2, $3)`,
  tryUpgradable: (s: string) => `select * from ${s}.try_upgradable($1, $2)`,
  tryWrite: (s: string) => `select * from ${s}.try_write($1, $2, $3)`,
  tryUpgrade: (s: string) => `select * from ${s}.try_upgrade($1, $2, $3, $4)`,
  readLimited: (s: string) => `select * from ${s}.read_limited($1, $2, $3)`,
  tryReadLimited: (s: string) => `select * from ${s}.try_read_limited($1, $2, $3, $4, $5)`,
  // No row: the lock has another limit.
  takePermit: (s: string) =>
    `select ${s}.take_permit($1, $2, $3) as permit from ${s}.lock where key = $1 and max_readers = $2`,
  undoPermits: (s: string) => `select ${s}.undo_permits($1, $2)`,
  undo: (s: string) => `select ${s}.undo($1, $2)`,
  unlockRead: () => 'select pg_advisory_unlock_shared($1) as ok',
  unlock: (s: string) => `select ${s}.unlock($1, $2)`,
  unlockAll: () => 'select pg_advisory_unlock_all()',
  releaseWrite: (s: string) => `call ${s}.release_write($1, $2, $3)`,
  downgrade: (s: string) => `call ${s}.downgrade($1, $2, $3, $4)`,
  remove: (s: string) => `call ${s}.remove($1, null)`,
  getValue: (s: string) => `select encode(value, 'hex') as value from ${s}.lock where key = $1`,
  setValue: (s: string) =>
    `update ${s}.lock set value = decode($2, 'hex'), value_token = case when $2 is null then null else token end
       where key = $1 returning token`,
  // Only while it waits, or sleeps before it looks again: what has been granted is about to be answered.
  cancel: () =>
    `select pg_cancel_backend(pid) from pg_stat_activity
       where pid = $1 and (wait_event_type = 'Lock' or wait_event = 'PgSleep')`,
  terminate: (s: string) =>
    `select pg_terminate_backend(backend) from ${s}.session
       where backend = $1 and pid = $2 and thread_id = $3 and host = $4`,
  alive: () => 'select pid, state from pg_stat_activity where pid = any($1::integer[])',
  blocked: () =>
    `select exists(select from pg_stat_activity
       where pid = $1 and (wait_event_type = 'Lock' or wait_event = 'PgSleep')) as ok`,
  row: (s: string) =>
    `select token, writer, max_readers, encode(value, 'hex') as value, value_token from ${s}.lock where key = $1`,
  rows: (s: string) =>
    `select key, name, token, writer, max_readers, encode(value, 'hex') as value, value_token from ${s}.lock order by name`,
  holders: (s: string) =>
    `select key, mode, granted, count, backend, pid, thread_id, host, label, extract(epoch from clock_timestamp() - since) * 1000 as ms
       from ${s}.holders where $1::bigint is null or key = $1 order by granted desc, since`,
} as const satisfies Record<string, (s: string) => string>

export type StatementName = keyof typeof TEXTS

/** The statements of a schema, each one operation. */
export type Statements = Readonly<Record<StatementName, Statement>>

/** `s`: the schema as a quoted identifier. */
export function statementsOf(s: string): Statements {
  const named = Object.entries(TEXTS).map(([name, text]) => [name, { name: `rwlock_${name}`, text: text(s) }])
  return Object.fromEntries(named) as Statements
}

// The schema in the database: its versions, and how it gets there.
import { invalidValue } from '../errors.js'
import { version1 } from './migrations/version-one.js'

/** Each makes the schema of its version out of the one before, and keeps what earlier clients use. */
const MIGRATIONS = [version1]

/** The least version that this client needs. Later ones serve it as well. */
export const VERSION: number = MIGRATIONS.length

/** The schema as a quoted identifier. */
export function quoted(schema: string): string {
  // No `$`, which could end the quotes of a function.
  if (!/^(?!pg_)[a-z_][a-z0-9_]{0,62}$/i.test(schema)) {
    throw invalidValue(
      'options.schema',
      schema,
      'must have up to 63 letters, digits and _, and not begin with a digit or with pg_',
    )
  }
  return `"${schema}"`
}

/**
 * The statements that bring the schema from any earlier version to this one, in one transaction.
 * Running them again changes nothing. Several processes may run them at the same time.
 */
export function migrationOf(schema: string): string {
  const s = quoted(schema)
  const steps = MIGRATIONS.map((migration, index) => {
    const version = index + 1
    const body = migration(s)
    return `do $migration$
declare found_version integer := 0;
begin
  if to_regclass('${s}.meta') is not null then
    execute 'select version from ${s}.meta' into found_version;
  end if;
  if found_version < ${version} then
    execute $version$${body}$version$;
    update ${s}.meta set version = ${version};
  end if;
end $migration$;`
  })
  return `-- process-rwlock: schema ${schema}, version ${VERSION}
begin;
set local search_path = pg_catalog;
set local client_min_messages = warning;
set local transaction_read_only = off;
do $lock$
begin
  perform pg_advisory_xact_lock(hashtextextended('process-rwlock migration ${schema}', 0));
end $lock$;
-- Not "if not exists": that fails for a role that may not create one, also if it exists.
do $schema$
begin
  if to_regnamespace('${s}') is null then create schema ${s}; end if;
end $schema$;
${steps.join('\n')}
commit;
`
}

/** The statements that let a role use the locks. */
export function grantsOf(schema: string, role: string): string {
  const s = quoted(schema)
  const to = `"${role.replaceAll('"', '""')}"`
  return `grant usage on schema ${s} to ${to};
grant select on all tables in schema ${s} to ${to};
grant insert, update, delete on ${s}.lock to ${to};
grant insert, delete on ${s}.limited to ${to};
grant insert, update on ${s}.session to ${to};
grant update (token_floor) on ${s}.meta to ${to};
grant execute on all routines in schema ${s} to ${to};
`
}

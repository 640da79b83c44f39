// Where the locks come from that the commands show: this machine, or a PostgreSQL database.
import type { Activity } from '../shared-memory/activity.js'
import type { Attachment, Surveyed, SurveyedSnapshot } from '../shared-memory/survey.js'
import type { Awaitable, RWLockRef } from '../types.js'
import type { Options } from './command.js'

/** `host`: the name of its machine, if locks are shared by several. */
export type FoundThread = Attachment & { host?: string }

/** A lock as a source finds it. One in a database has no file. */
export type FoundLock = Omit<Surveyed, 'file' | 'snapshot'> & {
  file: string | null
  snapshot: Omit<SurveyedSnapshot, 'requests'> | null
}

/** `requests` is `null` if nobody counts them. */
export type FoundActivity = Omit<Activity, 'requests'> & { requests: bigint | null }

/** It opens no lock, and creates none. */
export interface LockSource {
  /** All locks, also damaged ones. */
  list(): Awaitable<FoundLock[]>
  /** `null`: there is no such lock. */
  inspect(ref: RWLockRef): Awaitable<FoundLock | null>
  /** These locks, as far as they exist, or all if `refs` is empty. Cheap enough for each second. */
  activity(refs: readonly RWLockRef[]): Awaitable<FoundActivity[]>
  close(): Awaitable<void>
}

/** The options that choose a source. */
export const SOURCE_OPTIONS = {
  postgres: {
    type: 'string',
    value: 'URL',
    description: 'the locks in this PostgreSQL database; "" for that of PGHOST, PGDATABASE …',
  },
  schema: { type: 'string', value: 'NAME', description: 'with --postgres: their schema (default rwlock)' },
} as const satisfies Options

export interface SourceValues {
  readonly postgres?: string | undefined
  readonly schema?: string | undefined
}

/** @throws {@link UsageError}, and as `new PostgresLocks()`. */
export function sourceOf({ postgres, schema }: SourceValues): LockSource {
  if (postgres !== undefined) {
    const { PostgresSource } = require('./postgres/source.js') as typeof import('./postgres/source.js')
    return new PostgresSource(postgres, schema)
  }
  if (schema !== undefined) {
    const { UsageError } = require('./usage-error.js') as typeof import('./usage-error.js')
    throw new UsageError('--schema is for --postgres URL')
  }
  return (require('./machine-source.js') as typeof import('./machine-source.js')).thisMachine
}

// The locks of `process-rwlock/postgres` in one schema of a database.
import { PostgresLocks } from '../../postgres.js'
import type { LockSnapshot, RWLockRef } from '../../types.js'
import type { FoundActivity, FoundLock, LockSource } from '../source.js'
import { UsageError } from '../usage-error.js'

export class PostgresSource implements LockSource {
  readonly #locks: PostgresLocks

  /** @throws As `new PostgresLocks()`. */
  constructor(url: string, schema: string | undefined) {
    this.#locks = new PostgresLocks({
      ...(url !== '' && { connectionString: url }),
      ...(schema !== undefined && { schema }),
      label: 'process-rwlock',
      maxSessions: 1,
    })
  }

  async list(): Promise<FoundLock[]> {
    return (await this.#locks.list()).map(foundOf)
  }

  /** Not by opening the lock, which would create it. */
  async inspect(ref: RWLockRef): Promise<FoundLock | null> {
    const [snapshot] = await this.#snapshotsOf([ref])
    return snapshot === undefined ? null : foundOf(snapshot)
  }

  async activity(refs: readonly RWLockRef[]): Promise<FoundActivity[]> {
    const snapshots = refs.length === 0 ? await this.#locks.list() : await this.#snapshotsOf(refs)
    return snapshots.map((snapshot) => ({ snapshot, requests: null, created: 0n }))
  }

  close(): Promise<void> {
    return this.#locks.close()
  }

  async #snapshotsOf(refs: readonly RWLockRef[]): Promise<LockSnapshot[]> {
    const names = refs.map(nameOf)
    const all = await this.#locks.list()
    return names.flatMap((name) => all.find((lock) => lock.name === name) ?? [])
  }
}

function nameOf(ref: RWLockRef): string {
  if (typeof ref === 'string') return ref
  if ('path' in ref) throw new UsageError('with --postgres, give a NAME or --file DATA, not --path')
  return ref.name
}

function foundOf(snapshot: LockSnapshot): FoundLock {
  const { name, holders, waiters } = snapshot
  const here = { foreignNamespace: null }
  return {
    ...(name !== undefined && { name }),
    file: null,
    memory: null,
    bytes: null,
    open: true,
    attached: [],
    snapshot: {
      ...snapshot,
      holders: holders.map((holder) => ({ ...holder, ...here })),
      waiters: waiters.map((waiter) => ({ ...waiter, ...here, skipped: false })),
    },
    error: null,
    seen: null,
  }
}

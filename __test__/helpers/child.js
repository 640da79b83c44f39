// A child that carries out commands: takes { id, op, args }, answers { type: 'answer', id, value |
// error }. `lock` and `guard` are numbers from earlier answers; without them, the latest is meant.
//   node child.js [ENGINE]    ENGINE: URL of a module that exports `open(ref, options)`; without it, shared memory
import { subscribe } from 'node:diagnostics_channel'
import { existsSync } from 'node:fs'
import { RWLock } from 'process-rwlock'

const engine = process.argv[2] === undefined ? undefined : await import(process.argv[2])

/** @type {RWLock[]} */
const locks = []
/** @type {import('process-rwlock').Guard[]} */
const guards = []

/** The warnings of this process or thread. @type {{ code: string, message: string, time: number }[]} */
const warnings = []
process.on('warning', (/** @type {any} */ { code, message }) => {
  warnings.push({ code, message, time: Date.now() })
})
/** The messages of the channel `process-rwlock:deadlock`, without the lock. @type {object[]} */
const deadlocks = []
subscribe('process-rwlock:deadlock', (/** @type {any} */ { lock, ...message }) => {
  deadlocks.push(message)
})

const ops = {
  open({ ref, options }) {
    return open(ref, options)
  },
  async close({ lock }) {
    await lockOf(lock).close()
  },
  /** Closes every lock, for the next use of the child. */
  async reset() {
    for (const lock of locks.splice(0)) await lock?.close()
    guards.length = 0
  },
  /** Drops a lock, or a guard, without closing it. */
  forget({ lock, guard }) {
    if (guard !== undefined) guards[guard] = /** @type {any} */ (undefined)
    if (lock !== undefined) locks[lock] = /** @type {any} */ (undefined)
  },
  /** Collects garbage; requires --expose-gc. Collected locks close themselves soon after. */
  async collect() {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  },
  toJSON({ lock }) {
    return lockOf(lock).toJSON()
  },

  /** Opens a lock and acquires it. */
  async hold({ ref, mode, options }) {
    const lock = open(ref)
    return keep(await acquire[mode](locks[lock], options))
  },
  async acquireRead({ lock, options }) {
    return keep(await lockOf(lock).acquireRead(options))
  },
  async acquireWrite({ lock, options }) {
    return keep(await lockOf(lock).acquireWrite(options))
  },
  async acquireUpgradable({ lock, options }) {
    return keep(await lockOf(lock).acquireUpgradable(options))
  },
  /** Acquires it and releases it at once. */
  async pass({ lock, mode, options }) {
    const guard = await acquire[mode](lockOf(lock), options)
    const held = describe(guard)
    await guard.release()
    return held
  },
  acquireReadSync({ lock, options }) {
    return keep(lockOf(lock).acquireReadSync(options))
  },
  acquireWriteSync({ lock, options }) {
    return keep(lockOf(lock).acquireWriteSync(options))
  },
  async tryRead({ lock }) {
    return keep(await lockOf(lock).tryRead())
  },
  async tryWrite({ lock }) {
    return keep(await lockOf(lock).tryWrite())
  },
  async tryUpgradable({ lock }) {
    return keep(await lockOf(lock).tryUpgradable())
  },

  async steal({ lock, options }) {
    return keep(await engine.steal(lockOf(lock), options))
  },
  /** Answers with the code of the reason when the hold is lost. */
  lossOf({ guard }) {
    const { signal } = guardOf(guard)
    return new Promise((resolve) => {
      if (signal.aborted) resolve(signal.reason.code)
      else signal.addEventListener('abort', () => resolve(signal.reason.code), { once: true })
    })
  },

  async release({ guard }) {
    await guardOf(guard).release()
  },
  async upgrade({ guard, options }) {
    await guardOf(guard).upgrade(options)
    return describe(guardOf(guard))
  },
  tryUpgrade({ guard }) {
    return guardOf(guard).tryUpgrade()
  },
  async downgrade({ guard, to }) {
    await guardOf(guard).downgrade(to)
    return describe(guardOf(guard))
  },
  describe({ guard }) {
    return describe(guardOf(guard))
  },

  /** Calls in these modes, each inside the one before; the code of the error if one fails. */
  async nest({ lock, modes, options }) {
    const entered = []
    const descend = async (depth = 0) => {
      await lockOf(lock)[modes[depth]](async (guard) => {
        entered.push(guard.mode)
        if (depth + 1 < modes.length) await descend(depth + 1)
      }, options)
    }
    return descend().then(
      () => entered.join(' '),
      (error) => error.code,
    )
  },
  /** Write, read, write, each inside the one before, for `ms`. */
  async nestRepeatedly({ lock, ms }) {
    const it = lockOf(lock)
    const end = performance.now() + ms
    let count = 0
    let token = 0n
    while (performance.now() < end) {
      await it.write((outer) =>
        it.read(async () => {
          await new Promise((resolve) => setImmediate(resolve))
          await it.write((inner) => {
            if (inner.token !== outer.token) throw new Error('another writer was here')
            token = inner.token
          })
          count++
        }),
      )
    }
    return { count, token }
  },

  value({ guard }) {
    return guardOf(guard).value
  },
  async setValue({ guard, value }) {
    await guardOf(guard).setValue(value)
  },

  warnings() {
    return warnings
  },
  deadlocks() {
    return deadlocks
  },

  inspect({ lock }) {
    return lockOf(lock).inspect()
  },
  /** @param {{ options?: import('process-rwlock').PruneOptions }} [asked] */
  prune({ options } = {}) {
    return RWLock.prune(options)
  },

  list() {
    return RWLock.list()
  },
  remove({ ref }) {
    return RWLock.remove(ref)
  },

  setEnv({ name, value }) {
    process.env[name] = value
  },
  chdir({ to }) {
    process.chdir(to)
  },
  umask({ mask }) {
    process.umask(mask)
  },

  /** Keeps the event loop busy for `ms`, or until there is a file `until`. Sends "busy" first. */
  busy({ ms = 20_000, until }) {
    process.send?.({ type: 'busy' })
    const end = performance.now() + ms
    while (performance.now() < end && !(until && existsSync(until)));
  },
  /** Ends by process.exit(), which runs no cleanup hooks. Never answers. */
  exit({ code = 0 }) {
    process.exit(code)
  },
  /** Ends by an uncaught error. Answers first. */
  throw({ message = 'thrown on command' }) {
    setImmediate(() => {
      throw new Error(message)
    })
  },
  /** Ends by itself, with nothing left to do. Answers first. */
  finish() {
    setImmediate(() => process.disconnect())
  },
}

const acquire = {
  read: (lock, options) => lock.acquireRead(options),
  write: (lock, options) => lock.acquireWrite(options),
  upgradable: (lock, options) => lock.acquireUpgradable(options),
}

function open(ref, options) {
  return locks.push(engine?.open(ref, options) ?? new RWLock(ref, options)) - 1
}

function lockOf(index = locks.length - 1) {
  return locks[index]
}

function guardOf(index = guards.length - 1) {
  return guards[index]
}

function keep(guard) {
  return guard && { guard: guards.push(guard) - 1, ...describe(guard) }
}

function describe({ mode, released, token, ownerDied }) {
  return { mode, released, token, ownerDied }
}

process.on('message', async ({ id, op, args }) => {
  try {
    process.send?.({ type: 'answer', id, value: await ops[op](args) })
  } catch (error) {
    const { name, code, message, holders, errno, syscall, cause } = error
    const said = {
      name,
      code,
      message,
      holders,
      errno,
      syscall,
      cause: cause && { ...cause, message: cause.message },
    }
    process.send?.({ type: 'answer', id, error: said })
  }
})
process.send?.({ type: 'ready' })

// What the environment asks for: NODE_DEBUG=process-rwlock prints the messages of the diagnostics
// channels to standard error, and PROCESS_RWLOCK_TRACE=FILE writes them to a file.
import { subscribe } from 'node:diagnostics_channel'
import process from 'node:process'
import { threadId } from 'node:worker_threads'
import {
  type AcquireMessage,
  acquireChannels,
  contendedChannel,
  type DeadlockMessage,
  deadlockChannel,
  type LockMessage,
  type OwnerDiedMessage,
  ownerDiedChannel,
  type ReleaseMessage,
  releaseChannel,
} from './diagnostics.js'
import { deadlockText } from './long-waits.js'

if (isAsked() && isFirstCopy('printed')) print()

const file = variable('PROCESS_RWLOCK_TRACE')
if (file !== '' && isFirstCopy('recorded')) {
  // Only here: nobody else needs it.
  const { record } = require('./trace/record.js') as typeof import('./trace/record.js')
  record(file)
}

/** As `util.debuglog()` of Node.js, which Bun and Deno do not have whole. */
function isAsked(): boolean {
  return variable('NODE_DEBUG')
    .split(/[\s,]+/)
    .some((section) => {
      const pattern = section.replace(/[|\\{}()[\]^$+?.]/g, '\\$&').replaceAll('*', '.*')
      return new RegExp(`^${pattern}$`, 'i').test('process-rwlock')
    })
}

/** An environment variable; empty if it is not set. */
function variable(name: string): string {
  try {
    return process.env[name] ?? ''
  } catch {
    return '' // this runtime gives no permission for it
  }
}

/**
 * Whether this is the first copy of the package in the thread that does `what`. All copies have the
 * same channels, so one that subscribes to them is enough.
 */
function isFirstCopy(what: string): boolean {
  const mark = Symbol.for(`process-rwlock.${what}`)
  if (Reflect.has(releaseChannel, mark)) return false
  Object.defineProperty(releaseChannel, mark, { value: true })
  return true
}

function print(): void {
  const thread = threadId === 0 ? '' : `thread ${threadId}: `
  const say = ({ name, path }: LockMessage, text: string) => {
    const lock = name === undefined ? `lock ${path}` : `lock '${name}'`
    process.stderr.write(`PROCESS-RWLOCK ${process.pid}: ${thread}${lock}: ${text}\n`)
  }
  const on = <T>(channel: { name: string | symbol }, text: (message: T) => string | undefined) => {
    subscribe(channel.name, (message) => {
      const said = text(message as T)
      if (said !== undefined) say(message as LockMessage, said)
    })
  }
  const settled = (message: AcquireMessage) =>
    message.error === undefined ? `${wish(message)} ${outcome(message)}` : undefined
  on<AcquireMessage>(acquireChannels.end, (message) =>
    message.waitedMs === undefined ? undefined : settled(message),
  )
  on<AcquireMessage>(acquireChannels.asyncStart, settled)
  on<AcquireMessage>(
    acquireChannels.error,
    (message) => `${wish(message)} failed after ${ms(message.waitedMs)}: ${errorText(message.error)}`,
  )
  on<AcquireMessage>(contendedChannel, (message) => `${wish(message)} waits: ${blockers(message)}`)
  on<ReleaseMessage>(releaseChannel, (message) => `${wish(message)} released after ${ms(message.heldMs)}`)
  on<OwnerDiedMessage>(
    ownerDiedChannel,
    ({ ownerDied: { pid, label, token } }) =>
      `pid ${pid} ('${label}') died during its write hold with token ${token}`,
  )
  on<DeadlockMessage>(deadlockChannel, ({ waits }) => deadlockText(waits))
}

function wish({ mode, label, upgrade }: AcquireMessage): string {
  return `${upgrade ? `upgrade to ${mode}` : mode}${label === undefined ? '' : ` ('${label}')`}`
}

function outcome({ waitedMs, token }: AcquireMessage): string {
  return token === undefined ? 'not granted' : `granted after ${ms(waitedMs)}, token ${token}`
}

function blockers({ holders = [] }: AcquireMessage): string {
  const texts = holders.map(
    ({ pid, mode, label, ms }) => `held for ${mode} by pid ${pid} ('${label}') for ${ms} ms`,
  )
  return texts.join(', ') || 'others wait'
}

function errorText(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return code === undefined ? String(error) : `${code}: ${message}`
}

const ms = (time: number | undefined) => `${(time ?? 0).toFixed(3)} ms`

// The addon: the one built in this checkout, or else that of the package for this platform.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type * as Binding from '../index.js'
import { LockError } from './errors.js'

const require = createRequire(import.meta.url)

const FROM_SOURCE = 'https://github.com/process-rwlock/process-rwlock#development'

/** What there are packages for. Written out, so that tools which collect the files of a program find them. */
const packages: Record<string, () => unknown> = {
  'linux-x64-gnu': () => require('process-rwlock-linux-x64-gnu'),
  'linux-arm64-gnu': () => require('process-rwlock-linux-arm64-gnu'),
  'linux-x64-musl': () => require('process-rwlock-linux-x64-musl'),
  'linux-arm64-musl': () => require('process-rwlock-linux-arm64-musl'),
  'darwin-x64': () => require('process-rwlock-darwin-x64'),
  'darwin-arm64': () => require('process-rwlock-darwin-arm64'),
  'win32-x64-msvc': () => require('process-rwlock-win32-x64-msvc'),
  'win32-arm64-msvc': () => require('process-rwlock-win32-arm64-msvc'),
}

/** @internal */
export const binding: typeof Binding = load()

function load(): typeof Binding {
  const target = thisTarget()
  const built = fileURLToPath(new URL(`../process-rwlock.${target}.node`, import.meta.url))
  if (existsSync(built)) return require(built)

  const { name, version } = manifest('../package.json') ?? {}
  if (name !== 'process-rwlock') {
    throw unsupported(
      'process-rwlock was bundled, and so cannot find its addon: tell the bundler that it is external',
    )
  }
  const addon = packages[target]
  if (addon === undefined) {
    throw unsupported(
      `process-rwlock has no build for ${target}, only for ${Object.keys(packages).join(', ')}. ` +
        `To build it from source: ${FROM_SOURCE}`,
    )
  }
  const packageName = `process-rwlock-${target}`
  const installed = manifest(`${packageName}/package.json`)
  if (installed === undefined) {
    const other = Object.keys(packages).find((other) => manifest(`process-rwlock-${other}/package.json`))
    throw unsupported(
      `${packageName} ${version}, the build of process-rwlock for ${target}, is not installed` +
        `${other ? `, but that for ${other} is: node_modules was made on another system` : ''}. ` +
        `It is an optional dependency: ${reinstall('without --omit=optional (--no-optional)')}. ` +
        'npm also leaves such packages out if the lock file was made on another system ' +
        `(https://github.com/npm/cli/issues/4828). To build it from source: ${FROM_SOURCE}`,
    )
  }
  if (installed.version !== version) {
    throw unsupported(
      `process-rwlock ${version} was installed with ${packageName} ${installed.version}, and needs that of its own version: ` +
        reinstall(),
    )
  }
  try {
    return addon() as typeof Binding
  } catch (error) {
    throw unsupported(
      `${packageName} ${version}, the build of process-rwlock for ${target}, is installed, but cannot be loaded: ` +
        `${(error as Error).message}. If it is damaged: ${reinstall()}. To build it from source: ${FROM_SOURCE}`,
      error,
    )
  }
}

function reinstall(how = ''): string {
  return `delete node_modules and package-lock.json, and run "npm install" on this system${how && ` ${how}`}`
}

function unsupported(message: string, cause?: unknown): LockError {
  const error = new LockError('ERR_LOCK_UNSUPPORTED', message)
  if (cause !== undefined) error.cause = cause
  return error
}

function manifest(path: string): { name: string; version: string } | undefined {
  try {
    return require(path)
  } catch {
    return undefined
  }
}

/** As the packages are named. */
function thisTarget(): string {
  const { platform, arch } = process
  if (platform === 'linux') return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`
}

/** Which libc this process runs on. `process.report` tells it too, but stops all worker threads for that. */
function isMusl(): boolean {
  try {
    return !/\/libc(\.so\.6|-2\.\d+\.so)$/m.test(readFileSync('/proc/self/maps', 'latin1'))
  } catch {
    return false
  }
}

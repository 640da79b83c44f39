// Loads the addon: the one that was built in this checkout, or else that of the package for this
// platform.
import type * as Binding from '../../index.js'
import { LockError } from '../errors.js'
import { targets } from './platform.js'

const FROM_SOURCE = 'To build it from source: https://github.com/process-rwlock/process-rwlock#development'

/** @internal */
export const binding: typeof Binding = load()

/**
 * No built-in module is imported here, and no file of this package that imports one may run before
 * this file: in some bundles such an import throws, and then the error would not say why the addon
 * is missing.
 */
function load(): typeof Binding {
  if (typeof process === 'undefined' || typeof process.getBuiltinModule !== 'function') {
    throw unsupported('process-rwlock needs Node.js 20.19 or newer, or a runtime that is compatible with it')
  }
  const { existsSync } = process.getBuiltinModule('node:fs')
  const { dirname, isAbsolute, join } = process.getBuiltinModule('node:path')
  // Bundlers do not resolve the calls of a `require` that `createRequire` makes. Tools that collect
  // the files of a program find them by the names `module` and `require`.
  const module = process.getBuiltinModule('node:module')
  const file = ownFile()
  if (!isAbsolute(file)) throw bundled()
  const require = module.createRequire(file)
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

  const { name, version } = manifest('../../package.json') ?? {}
  if (name !== 'process-rwlock') throw bundled()
  const wanted = targets()
  const failures: LockError[] = []
  for (const target of wanted) {
    try {
      const addon = ofTarget(target)
      if (addon !== undefined) return addon as typeof Binding
    } catch (error) {
      failures.push(error as LockError)
    }
  }
  const [failure, ...others] = failures
  if (failure === undefined) throw missing(wanted)
  throw others.length === 0
    ? failure
    : unsupported(failures.map(({ message }) => message).join('\n'), failure.cause)

  /** The addon for a target; `undefined` if it is not installed. */
  function ofTarget(target: string): unknown {
    const built = join(dirname(file), '..', '..', `process-rwlock.${target}.node`)
    if (existsSync(built)) return loaded(built, () => require(built))
    const addon = packages[target]
    if (addon === undefined) return undefined
    const packageName = `process-rwlock-${target}`
    const installed = manifest(`${packageName}/package.json`)
    if (installed === undefined) return undefined
    if (installed.version !== version) {
      throw unsupported(
        `process-rwlock ${version} was installed with ${packageName} ${installed.version}, but needs the same version of it: ` +
          reinstall(),
      )
    }
    return loaded(
      `${packageName} ${version}, the build of process-rwlock for ${target}, is installed, but`,
      addon,
    )
  }

  function missing(wanted: string[]): LockError {
    const [target, other] = wanted.filter((target) => target in packages)
    if (target === undefined) {
      return unsupported(
        `process-rwlock has no build for ${wanted[0]}, only for ${Object.keys(packages).join(', ')}. ${FROM_SOURCE}`,
      )
    }
    const elsewhere = Object.keys(packages).find((other) => manifest(`process-rwlock-${other}/package.json`))
    return unsupported(
      `process-rwlock-${target} ${version}, the build of process-rwlock for ${target}, is not installed` +
        `${other ? `, nor is process-rwlock-${other}` : ''}` +
        `${elsewhere ? `, but the build for ${elsewhere} is: node_modules was made on another system` : ''}. ` +
        `It is an optional dependency: ${reinstall('without --omit=optional (--no-optional)')}. ` +
        'npm also leaves such packages out if the lock file was made on another system ' +
        `(https://github.com/npm/cli/issues/4828). ${FROM_SOURCE}`,
    )
  }

  function manifest(path: string): { name: string; version: string } | undefined {
    try {
      return require(path)
    } catch (error) {
      if (isDenied(error)) throw unsupported(`process-rwlock cannot be loaded: ${denial(error)}`, error)
      return undefined
    }
  }
}

/** In a bundle `__filename` may be missing, even if `typeof` finds it, or it may not be a path. */
function ownFile(): string {
  try {
    return String(__filename)
  } catch {
    throw bundled()
  }
}

function loaded(what: string, addon: () => unknown): unknown {
  try {
    return addon()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = isDenied(error)
      ? denial(error)
      : code === 'ERR_DLOPEN_DISABLED'
        ? 'Node.js was started with an option that forbids native addons: with --permission, add --allow-addons; remove --no-addons'
        : `${message}. If it is damaged: ${reinstall()}. ${FROM_SOURCE}`
    throw unsupported(`${what} cannot be loaded: ${why}`, error)
  }
}

/** Whether the permission model of Node.js forbade reading a file. */
function isDenied(error: unknown): error is { resource?: string } {
  return (error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED'
}

function denial({ resource = 'its files' }: { resource?: string }): string {
  const [folder = resource] = /^.*?[/\\]node_modules(?=[/\\])/.exec(resource) ?? []
  return `Node.js was started with --permission, which forbids reading ${resource}: add --allow-fs-read=${folder}, and --allow-addons`
}

function bundled(): LockError {
  return unsupported(
    'process-rwlock was bundled, and cannot find its addon: mark it as external in the bundler ' +
      '(esbuild: --external:process-rwlock; webpack: externals; Rollup: external; Vite: ssr.external; ' +
      'Next.js: serverExternalPackages), and install it where the bundle runs',
  )
}

function reinstall(how = ''): string {
  return `delete node_modules and package-lock.json, and run "npm install" on this system${how && ` ${how}`}`
}

function unsupported(message: string, cause?: unknown): LockError {
  const error = new LockError('ERR_LOCK_UNSUPPORTED', message)
  if (cause !== undefined) error.cause = cause
  return error
}

// The platforms whose addons this process can load. Plain JavaScript, because scripts/lib/setup.js
// needs it before a build exists.

/** @typedef {'gnu' | 'musl'} Libc */

/**
 * The targets to try, as in the names of the packages, the most likely first. There are two only if
 * the C library of this process cannot be determined. An addon for the wrong one fails to load,
 * without harm.
 *
 * @returns {string[]}
 */
exports.targets = function targets() {
  const { platform, arch } = process
  if (platform === 'win32') return [`win32-${arch}-msvc`]
  if (platform !== 'linux') return [`${platform}-${arch}`]
  const libc = libcOfMemoryMap() ?? libcOfProgram() ?? libcOfReport()
  return (libc ? [libc] : ['gnu', 'musl']).map((its) => `linux-${arch}-${its}`)
}

/**
 * From the files that are mapped into this process. Denied with `--permission`; missing without
 * `/proc`.
 *
 * @returns {Libc | undefined}
 */
function libcOfMemoryMap() {
  try {
    const maps = fs().readFileSync('/proc/self/maps', 'latin1')
    // A file that was replaced meanwhile, for example by a system update, is marked as deleted.
    if (/\/libc(\.so\.6|-2\.\d+\.so)( \(deleted\))?$/m.test(maps)) return 'gnu'
    if (/\/(ld-musl-[^/\n]+\.so\.1|libc\.so)( \(deleted\))?$/m.test(maps)) return 'musl'
  } catch {}
  return undefined
}

/**
 * From the name of the program's interpreter, which is within the first page of its file. Denied
 * with `--permission`.
 *
 * @returns {Libc | undefined}
 */
function libcOfProgram() {
  try {
    const { openSync, readSync, closeSync } = fs()
    const page = Buffer.alloc(4096)
    const file = openSync(process.execPath, 'r')
    try {
      readSync(file, page)
    } finally {
      closeSync(file)
    }
    const [, libc] = /\/ld-(linux|musl)-[^/\0]*\.so\.\d+\0/.exec(page.toString('latin1')) ?? []
    if (libc) return libc === 'musl' ? 'musl' : 'gnu'
  } catch {}
  return undefined
}

/**
 * From the report of Node.js. The last resort: it stops all worker threads of the process for a
 * moment.
 *
 * @returns {Libc | undefined}
 */
function libcOfReport() {
  try {
    const report = /** @type {NodeJS.ProcessReport & { excludeNetwork?: boolean }} */ (process.report)
    const { excludeNetwork } = report
    report.excludeNetwork = true // otherwise host names are resolved, which can take seconds
    try {
      const { header, sharedObjects } =
        /** @type {{ header: { glibcVersionRuntime?: string }, sharedObjects?: string[] }} */ (
          report.getReport()
        )
      if (header.glibcVersionRuntime) return 'gnu'
      if (sharedObjects?.some((file) => /\/(ld-musl-|libc\.musl-)/.test(file))) return 'musl'
    } finally {
      if (excludeNetwork !== undefined) report.excludeNetwork = excludeNetwork
    }
  } catch {}
  return undefined
}

/**
 * Not by `require()`: in a bundle it may throw, and then the error would not say why the addon is
 * missing.
 */
function fs() {
  return process.getBuiltinModule('node:fs')
}

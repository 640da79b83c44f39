// The platforms that this process can load an addon of. Plain JavaScript: scripts/lib/setup.js needs it before there is a build.

/** @typedef {'gnu' | 'musl'} Libc */

/**
 * The targets to try, most likely first, as the packages are named. There is more than one only if the C library of this
 * process cannot be determined: an addon for the other one fails to load, without harm.
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
 * What is mapped into this process. Denied by `--permission`, missing without `/proc`.
 *
 * @returns {Libc | undefined}
 */
function libcOfMemoryMap() {
  try {
    const maps = fs().readFileSync('/proc/self/maps', 'latin1')
    // A file that was replaced since, as by an update of the system, is marked as deleted.
    if (/\/libc(\.so\.6|-2\.\d+\.so)( \(deleted\))?$/m.test(maps)) return 'gnu'
    if (/\/(ld-musl-[^/\n]+\.so\.1|libc\.so)( \(deleted\))?$/m.test(maps)) return 'musl'
  } catch {}
  return undefined
}

/**
 * What the program asks the kernel for: its interpreter is named within the first page. Denied by `--permission`.
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
 * What Node.js reports. The last resort: it stops all worker threads of the process for a moment.
 *
 * @returns {Libc | undefined}
 */
function libcOfReport() {
  try {
    const report = /** @type {NodeJS.ProcessReport & { excludeNetwork?: boolean }} */ (process.report)
    const { excludeNetwork } = report
    report.excludeNetwork = true // host names are resolved otherwise, which can take seconds
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

/** Not by `require()`: within a bundle that may throw, and then nobody learns why the addon is missing. */
function fs() {
  return process.getBuiltinModule('node:fs')
}

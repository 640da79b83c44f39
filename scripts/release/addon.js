// Reads from the headers of a built addon what it is; its file name only says what it should be.

const ELF = { 62: 'x64', 183: 'arm64' }
const MACH_O = { 16777223: 'x64', 16777228: 'arm64' }
const PE = { 34404: 'x64', 43620: 'arm64' }

/**
 * The platform of an addon, as in the name of its package.
 *
 * @param {Buffer} addon
 */
export function platformOf(addon) {
  const text = addon.toString('latin1')
  if (text.startsWith('\x7fELF')) {
    return `linux-${named(ELF, addon.readUInt16LE(18))}-${/\0libc\.so\.6\0/.test(text) ? 'gnu' : 'musl'}`
  }
  if (addon.readUInt32LE(0) === 0xfeedfacf) return `darwin-${named(MACH_O, addon.readUInt32LE(4))}`
  if (text.startsWith('MZ')) return `win32-${named(PE, addon.readUInt16LE(addon.readUInt32LE(60) + 4))}-msvc`
  return 'an unknown platform'
}

/** @param {Record<number, string>} machines @param {number} code */
function named(machines, code) {
  return machines[code] ?? `machine ${code}`
}

/** The oldest minor version of glibc 2 that is supported. */
export const OLDEST_GLIBC = 17

/**
 * The newest minor version of glibc 2 that an addon needs; 0 without glibc.
 *
 * @param {Buffer} addon
 */
export function glibcOf(addon) {
  const versions = [...addon.toString('latin1').matchAll(/\0GLIBC_2\.(\d+)/g)]
  return Math.max(0, ...versions.map(([, minor]) => Number(minor)))
}

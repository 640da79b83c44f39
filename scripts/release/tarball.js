// Reads the files of a tarball that npm has made.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

/** The files, by their path in the package. @typedef {Map<string, Buffer>} Contents */

const BLOCK = 512

/**
 * The ustar format of POSIX `pax`: for each file a header of one block, then the file in whole
 * blocks.
 *
 * @param {string} file
 * @returns {Contents}
 */
export function contentsOf(file) {
  const tar = gunzipSync(readFileSync(file))
  const contents = new Map()
  for (let at = 0; tar[at] !== 0; ) {
    const text = (/** @type {number} */ from, /** @type {number} */ length) =>
      tar.toString('latin1', at + from, at + from + length).replace(/\0.*$/s, '')
    const size = Number.parseInt(text(124, 12), 8)
    const path = [text(345, 155), text(0, 100)].filter(Boolean).join('/')
    const begin = at + BLOCK
    // All entries are files in one folder.
    contents.set(path.replace(/^package\//, ''), tar.subarray(begin, begin + size))
    at = begin + Math.ceil(size / BLOCK) * BLOCK
  }
  return contents
}

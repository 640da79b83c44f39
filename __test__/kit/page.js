// Plain memory that processes share: pages of a file, protected by nothing but the lock under test.
import { native } from './native.js'

/**
 * The first `bytes` bytes of the file at `path`, created as zeros, shared with every process that maps them.
 *
 * @param {string} path
 * @param {number} bytes
 */
export function mapPage(path, bytes) {
  return native.mapPage(path, bytes)
}

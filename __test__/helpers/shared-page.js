// Plain memory that processes share: pages of a file, protected only by the lock under test.
import { native } from './native.js'

/** @type {Set<Uint8Array>} */
const pages = new Set()

/**
 * The first `bytes` bytes of the file at `path`, created as zeros, shared with every process that
 * maps them.
 *
 * @param {string} path
 * @param {number} bytes
 */
export function mapPage(path, bytes) {
  const page = native.mapPage(path, bytes)
  pages.add(page)
  return page
}

/**
 * Unmaps every page of this thread: Windows cannot remove a file that is mapped. Their arrays are
 * empty afterwards.
 */
export async function unmapPages() {
  for (const page of pages) native.unmapPage(page)
  pages.clear()
  // Detached memory is freed in the next turn of the event loop.
  await new Promise((resolve) => setTimeout(resolve))
}

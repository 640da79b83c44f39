// Plain memory that processes share: pages of a file, protected by nothing but the lock under test.
import { native } from './native.js'

/** @type {Set<Uint8Array>} */
const pages = new Set()

/**
 * The first `bytes` bytes of the file at `path`, created as zeros, shared with every process that maps them.
 *
 * @param {string} path
 * @param {number} bytes
 */
export function mapPage(path, bytes) {
  const page = native.mapPage(path, bytes)
  pages.add(page)
  return page
}

/** Unmaps every page of this thread: Windows does not remove a file that is mapped. Nothing is left of them for who has one. */
export async function unmapPages() {
  for (const page of pages) native.unmapPage(page)
  pages.clear()
  // What is detached is freed in the next turn of the event loop.
  await new Promise((resolve) => setTimeout(resolve))
}

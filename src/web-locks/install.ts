import { locks } from './lock-manager.js'

/**
 * Makes {@link locks} the value of `navigator.locks` in this thread, for libraries that look there.
 * Creates `navigator` if the runtime has none (Node.js 20).
 */
export function install(): void {
  const property = { value: locks, configurable: true, enumerable: true, writable: true }
  const { navigator } = globalThis as { navigator?: object }
  if (navigator !== undefined) Object.defineProperty(navigator, 'locks', property)
  else {
    // With what programs read that find one, as in Node.js 21.
    const [major] = process.versions.node.split('.')
    const created = Object.defineProperty({ userAgent: `Node.js/${major}` }, 'locks', property)
    Object.defineProperty(globalThis, 'navigator', { value: created, configurable: true, writable: true })
  }
}

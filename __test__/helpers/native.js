// The tests' own addon (`crates/testkit`).
import { createRequire } from 'node:module'

/**
 * @type {{
 *   mapPage(path: string, bytes: number): Uint8Array
 *   unmapPage(page: Uint8Array): void
 *   stopProcess(pid: number): void
 *   resumeProcess(pid: number): void
 *   forkAndSleep(): number
 * }}
 */
export const native = createRequire(import.meta.url)('./testkit.node')

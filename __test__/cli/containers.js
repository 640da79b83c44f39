// A program in a PID namespace of its own, in which it is process 1: as in a container.
import { spawnSync } from 'node:child_process'
import { testUnless } from '../helpers/index.js'

/** The arguments of unshare(1), which a command follows. */
export const CONTAINED = [
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  ...['--pid', '--fork', '--mount-proc', '--kill-child'],
]

export const containerTest = testUnless(
  spawnSync('unshare', [...CONTAINED, 'true']).status !== 0 && 'no PID namespaces here',
)

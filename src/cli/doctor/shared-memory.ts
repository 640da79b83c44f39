import { statfsSync } from 'node:fs'
import { size } from '../text/duration.js'
import { type Check, resultOf } from './check.js'

/** The size of a lock of the default capacity. */
const LOCK = 53_000
/** Below this, a program that opens many locks soon has no space. */
const LITTLE = 20 * LOCK

/** Whether a named lock can be created: the directory, its permissions, and space. */
export const sharedMemory: Check = {
  name: 'shared-memory',
  title: 'shared memory',
  run(machine) {
    machine.load().probe()
    const { PROCESS_RWLOCK_DIR } = machine.env
    const directory = PROCESS_RWLOCK_DIR ?? (machine.platform === 'linux' ? '/dev/shm' : undefined)
    if (directory === undefined) return resultOf([], 'a named lock can be created')
    const { bavail, bsize } = statfsSync(directory)
    const free = bavail * bsize
    const room = Math.floor(free / LOCK)
    if (free >= LITTLE)
      return resultOf([], `a named lock can be created; ${directory} has ${size(free)} free`)
    return resultOf(
      [
        {
          text: `${directory} has ${size(free)} free, room for ${room} more ${room === 1 ? 'lock' : 'locks'}: later ones fail with ERR_LOCK_ACCESS`,
          remedy:
            'remove what is not needed there; give a container more with docker run --shm-size; open the locks with a smaller ' +
            'capacity; or set PROCESS_RWLOCK_DIR to a directory on a local disk, the same for every process that shares named locks',
        },
      ],
      '',
    )
  },
}

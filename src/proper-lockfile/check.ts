import { ignoring } from '../file/disk.js'
import { borrowLock } from '../file/lock.js'
import { Directory } from './directory.js'
import { type CheckOptions, withDefaults } from './options.js'
import { placeOf, targetOf } from './place.js'

/** Whether a process holds the lock of a file. Rejects as `fs.realpath()`. */
export async function check(file: string, options?: CheckOptions): Promise<boolean> {
  return checkSync(file, options)
}

/** Like {@link check}. @throws as that rejects */
export function checkSync(file: string, options?: CheckOptions): boolean {
  const checked = withDefaults(options)
  const place = placeOf(file, checked)
  const target = ignoring(() => targetOf(place), ['ENOENT'])
  if (target === undefined) return false
  const { lock, done } = borrowLock(target, false)
  try {
    return lock.inspect().holders.length > 0 || (checked.bridge && new Directory(place, checked).isFresh())
  } finally {
    done()
  }
}

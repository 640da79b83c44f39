// A directory for the named locks of one test file: what the command line lists there is what the
// tests have made, whatever else runs on this machine.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ava from 'ava'

/** Call it before the first lock is opened. Child processes inherit it. */
export function useOwnDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'process-rwlock-test-'))
  process.env.PROCESS_RWLOCK_DIR = directory
  ava.after.always('the directory of the locks', () => {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })
  return directory
}

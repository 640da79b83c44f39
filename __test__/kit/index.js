// What the tests share: child processes, waiting with a bound, and a clean machine afterwards.
export { EMULATOR, linuxTest, testUnless } from './lacking.js'
export { mapPage } from './page.js'
export { spawnChild, spawnNode } from './process.js'
export { openLock, tempDir, uniqueName } from './resources.js'
export { sandbox, sandboxTest, usersTest } from './sandbox.js'
export { test } from './test.js'
export { spawnThread } from './thread.js'
export { median, waitFor } from './time.js'

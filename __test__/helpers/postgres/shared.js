// The one PostgreSQL of a run of ava: its test files share it, because a start takes a second. For
// tests that do not disturb each other: those that stop or fill a server start their own.

/**
 * The URL of its database, which is then also in the environment as PROCESS_RWLOCK_TEST_POSTGRES, for
 * the children of a test.
 */
export async function sharedServer() {
  process.env.PROCESS_RWLOCK_TEST_POSTGRES ??= await ask()
  return process.env.PROCESS_RWLOCK_TEST_POSTGRES
}

async function ask() {
  const response = await fetch(/** @type {string} */ (process.env.PROCESS_RWLOCK_TEST_BROKER))
  const text = await response.text()
  if (!response.ok) throw new Error(`no PostgreSQL for the tests: ${text}`)
  return text
}

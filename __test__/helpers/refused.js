// Errors as a user sees them: a code to act on, and a message.

/**
 * `act` must fail with `code` and a message that contains all of `says`. Returns the error.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {() => unknown} act
 * @param {string} code
 * @param {...(string | RegExp)} says
 */
export async function refused(t, act, code, ...says) {
  let error
  try {
    await act()
  } catch (thrown) {
    error = thrown
  }
  t.is(error?.code, code, error ? String(error) : `it was allowed, and should have been ${code}`)
  for (const part of says) {
    const found = typeof part === 'string' ? error?.message.includes(part) : part.test(error?.message)
    t.true(found, `${part} is missing in: ${error?.message}`)
  }
  return error
}

/**
 * How something ended: 'done', or the code of its error. An error without a code, such as the death
 * of a child, is thrown.
 *
 * @param {Promise<unknown>} promise
 */
export async function endOf(promise) {
  try {
    await promise
    return 'done'
  } catch (error) {
    if (typeof error.code === 'string' && error.code.startsWith('ERR_')) return error.code
    throw error
  }
}

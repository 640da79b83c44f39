/** Waits so many milliseconds, or until `woken`. */
export async function pause(ms: number, woken: Promise<unknown>): Promise<void> {
  await within(ms, woken)
}

/** What `promise` resolves with, or `undefined` after so many milliseconds. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

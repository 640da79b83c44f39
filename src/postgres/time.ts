/** Ends pauses early. A promise in its place would keep what every pause has added to it. */
export class Wakeup {
  #call: (() => void) | undefined

  wake(): void {
    this.#call?.()
  }

  /** Waits so many milliseconds, or until `wake()`. One at a time. */
  async pause(ms: number): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#call = resolve
    })
    await within(ms, woken)
    this.#call = undefined
  }
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

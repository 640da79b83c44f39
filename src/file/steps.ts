// Each operation on a file exists in a synchronous and an asynchronous form. A generator describes
// it once, as a sequence of steps; the caller runs the steps in either form.

/** One call, in both forms. */
interface Step {
  block(): unknown
  begin(): unknown
}

/** A sequence of calls that results in `T`. */
export type Steps<T> = Generator<Step, T, unknown>

/** A sequence of one call. The result of `begin` is awaited. */
export function* step<T>(block: () => T, begin: () => T | PromiseLike<T>): Steps<T> {
  return (yield { block, begin }) as T
}

/** A function in both forms, as one that results in steps. */
export function both<A extends unknown[], T>(
  block: (...args: A) => T,
  begin: (...args: A) => PromiseLike<T>,
): (...args: A) => Steps<T> {
  return (...args) =>
    step(
      () => block(...args),
      () => begin(...args),
    )
}

/** Blocks the thread until every step is done. */
export function runSync<T>(steps: Steps<T>): T {
  let next = steps.next()
  while (!next.done) {
    let value: unknown
    try {
      value = next.value.block()
    } catch (error) {
      next = steps.throw(error)
      continue
    }
    next = steps.next(value)
  }
  return next.value
}

/** Awaits every step. */
export async function runAsync<T>(steps: Steps<T>): Promise<T> {
  let next = steps.next()
  while (!next.done) {
    let value: unknown
    try {
      value = await next.value.begin()
    } catch (error) {
      next = steps.throw(error)
      continue
    }
    next = steps.next(value)
  }
  return next.value
}

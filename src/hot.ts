import { binding } from './binding.js'
import { translate } from './errors.js'

const hot = binding.hot()

/** What a call is given and what it tells, where the binding reads and writes it, too. */
const words = new Uint32Array(hot.words)
const numbers = new Float64Array(hot.words)
const ATTACHMENT = 0
const END = 1
/** In `numbers`. */
const HOLD = 1

/** A read hold if that needs no waiting, else 0. */
export function tryRead(attachment: number): number {
  words[ATTACHMENT] = attachment
  hot.tryRead()
  return numbers[HOLD] as number
}

/** The write hold if that needs no waiting, else 0. */
export function tryWrite(attachment: number): number {
  words[ATTACHMENT] = attachment
  hot.tryWrite()
  return numbers[HOLD] as number
}

/** Ends one read hold. Whether `takeEvents` has something now: requests of this thread may have been granted. */
export function releaseRead(attachment: number): true | undefined {
  words[ATTACHMENT] = attachment
  return hot.releaseRead()
}

/** Ends the exclusive hold. `end`: 0 whole, 1 the holder failed, 2 it went away. Returns as `releaseRead`. */
export function releaseExclusive(attachment: number, end: number): true | undefined {
  words[ATTACHMENT] = attachment
  words[END] = end
  try {
    return hot.releaseExclusive()
  } catch (error) {
    throw translate(error)
  }
}

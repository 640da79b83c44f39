import { binding } from './binding.js'
import { translate } from './translate.js'

const fastPath = binding.fastPath()

/** What a call is given and what it tells, where the binding reads and writes it, too. */
const words = new Uint32Array(fastPath.words)
const numbers = new Float64Array(fastPath.words)
const ATTACHMENT = 0
const END = 1
/** In `numbers`. */
const HOLD = 1

/** A read hold if that needs no waiting, else 0. */
export function tryRead(attachment: number): number {
  words[ATTACHMENT] = attachment
  fastPath.tryRead()
  return numbers[HOLD] as number
}

/** The write hold if that needs no waiting, else 0. */
export function tryWrite(attachment: number): number {
  words[ATTACHMENT] = attachment
  fastPath.tryWrite()
  return numbers[HOLD] as number
}

/** Ends one read hold. */
export function releaseRead(attachment: number): void {
  words[ATTACHMENT] = attachment
  fastPath.releaseRead()
}

/** Ends the exclusive hold. `end`: 0 whole, 1 the holder failed. */
export function releaseExclusive(attachment: number, end: number): void {
  words[ATTACHMENT] = attachment
  words[END] = end
  try {
    fastPath.releaseExclusive()
  } catch (error) {
    throw translate(error)
  }
}

import { binding } from './binding.js'
import { translate } from './translate.js'

const fastPath = binding.fastPath()

/** Arguments and results, in memory that the addon also reads and writes. */
const words = new Uint32Array(fastPath.words)
const numbers = new Float64Array(fastPath.words)
const ATTACHMENT = 0
const END = 1
const MODE = 1
/** In `numbers`. */
const GRANT = 1

/** Acquires a read hold if no wait is needed. The grant, or 0. */
export function tryRead(attachment: number): number {
  words[ATTACHMENT] = attachment
  fastPath.tryRead()
  return numbers[GRANT] as number
}

/** Acquires the write hold if no wait is needed. The grant, or 0. */
export function tryWrite(attachment: number): number {
  words[ATTACHMENT] = attachment
  fastPath.tryWrite()
  return numbers[GRANT] as number
}

/** Whether a request waits that a hold in `mode` keeps out. */
export function isContended(attachment: number, mode: number): boolean {
  words[ATTACHMENT] = attachment
  words[MODE] = mode
  fastPath.isContended()
  return numbers[GRANT] === 1
}

/** Ends one read hold. */
export function releaseRead(attachment: number): void {
  words[ATTACHMENT] = attachment
  fastPath.releaseRead()
}

/** Ends the exclusive hold. */
export function releaseExclusive(attachment: number, end: number): void {
  words[ATTACHMENT] = attachment
  words[END] = end
  try {
    fastPath.releaseExclusive()
  } catch (error) {
    throw translate(error)
  }
}

import { createHash } from 'node:crypto'

/**
 * The advisory lock of a name, as a signed 64-bit number in decimal. The two lowest bits are 0: the
 * lock has three keys of the database, see `migrations/version-one.ts`.
 */
export function keyOf(name: string): string {
  const hash = createHash('sha256').update(name).digest()
  return BigInt.asIntN(64, hash.readBigUInt64BE(0) & ~3n).toString()
}

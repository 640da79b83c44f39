import { createHash } from 'node:crypto'

/**
 * The advisory lock of a name in a schema, as a signed 64-bit number in decimal. The two lowest bits are 0: the
 * lock has three keys of the database, see `migrations/version-one.ts`.
 */
export function keyOf(schema: string, name: string): string {
  const hash = createHash('sha256').update(`${schema}\0${name}`).digest()
  return BigInt.asIntN(64, hash.readBigUInt64BE(0) & ~3n).toString()
}

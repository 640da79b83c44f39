// The memory layout of a lock, for tests that damage it. The fields are explained in
// crates/rwlock/src/shm/layout.rs.
import { closeSync, openSync, readSync, writeSync } from 'node:fs'

export const AT = {
  magic: 0,
  layoutHash: 8,
  layoutVersion: 16,
  capacity: 20,
  bytes: 24,
  created: 32,
  flags: 40,
  name: 48,
  highWater: 304,
  removal: 312,
  gate: 384,
  lastToken: 392,
  ticket: 512,
  stamp: 1152,
  /** @param {number} slot */
  reads: (slot) => 3328 + slot * 384,
  /** @param {number} slot */
  queued: (slot) => 3328 + slot * 384 + 128,
}

/** The gate's word; crates/rwlock/src/protocol/gate.rs. */
export const GATE = {
  mode: 0b111n,
  upgradable: 0b001n,
  writing: 0b100n,
  unknown: 0b111n,
  /** @param {number} slot */
  owner: (slot) => BigInt(slot) << 6n,
}

/** The bytes of a lock of the default capacity. */
export const BYTES = 3328 + 129 * 384 + 64

/** @param {number} value */
export function u32(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** @param {bigint} value */
export function u64(value) {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

/**
 * Writes into a file in place, like a program that damages it.
 *
 * @param {string} path
 * @param {number} offset
 * @param {Uint8Array | string} bytes
 */
export function poke(path, offset, bytes) {
  const file = openSync(path, 'r+')
  try {
    const data = Buffer.from(/** @type {Uint8Array} */ (bytes))
    writeSync(file, data, 0, data.length, offset)
  } finally {
    closeSync(file)
  }
}

/**
 * @param {string} path
 * @param {number} offset
 */
export function peek(path, offset) {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(8)
    readSync(file, bytes, 0, 8, offset)
    return bytes.readBigUInt64LE()
  } finally {
    closeSync(file)
  }
}

/**
 * Pseudo-random bytes, the same in every run.
 *
 * @param {number} length
 * @param {number} [seed]
 */
export function noise(length, seed = 1) {
  const bytes = Buffer.alloc(length)
  let state = seed
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[index] = state >>> 24
  }
  return bytes
}

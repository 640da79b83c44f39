// The names of Web Locks as names of locks. A name is any string; a lock's name is well-formed, has
// no NUL character, and at most 255 bytes of UTF-8.
import { createHash } from 'node:crypto'
import { binding } from '../shared-memory/binding.js'

/** Before a name that stands there itself. */
const PREFIX = 'web-locks:'
/** Before the hash of a name that is too long for that. */
const HASH_PREFIX = 'web-locks#'

const MAX_BYTES = binding.MAX_NAME_BYTES - PREFIX.length
/** Lone surrogates, NUL, and the character that begins an escape sequence. */
const ESCAPED = /[%\0\p{Surrogate}]/gu
const ESCAPE_SEQUENCE = /%(?:u([0-9A-F]{4})|([0-9A-F]{2}))/g

/** The lock of a name. */
export interface LockPlace {
  readonly lockName: string
  /** Stored with the lock: the name, if the lock's name is its hash. */
  readonly note: Uint8Array | undefined
}

/** The lock of the name `name`. */
export function placeOf(name: string): LockPlace {
  if (name.length <= MAX_BYTES) {
    const escaped = name.replace(ESCAPED, escapeSequence)
    if (Buffer.byteLength(escaped) <= MAX_BYTES) return { lockName: PREFIX + escaped, note: undefined }
  }
  const note = Buffer.from(name, 'utf16le') // keeps lone surrogates
  return { lockName: HASH_PREFIX + createHash('sha256').update(note).digest('hex'), note }
}

function escapeSequence(character: string): string {
  const code = character.charCodeAt(0).toString(16).toUpperCase()
  return code.length <= 2 ? `%${code.padStart(2, '0')}` : `%u${code}`
}

/**
 * The name whose lock has the name `lockName`; `undefined` if that is no Web Lock, or was removed
 * meanwhile.
 */
export function nameOf(lockName: string): string | undefined {
  if (lockName.startsWith(PREFIX)) {
    return lockName
      .slice(PREFIX.length)
      .replace(ESCAPE_SEQUENCE, (_, unit, byte) => String.fromCharCode(Number.parseInt(unit ?? byte, 16)))
  }
  if (!lockName.startsWith(HASH_PREFIX)) return undefined
  const note = binding.note(lockName)
  return note == null ? undefined : Buffer.from(note.buffer, note.byteOffset, note.length).toString('utf16le')
}

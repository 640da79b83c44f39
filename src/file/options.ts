import { invalidType, invalidValue } from '../errors.js'
import { checkAcquireOptions, checkObject } from '../options.js'
import type { AcquireOptions } from '../types.js'
import type { Parsed } from './json.js'
import { checkBeside } from './lock.js'

/** How to read a JSON file. */
export interface ReadJSONOptions<T = Parsed> {
  /**
   * The value of a missing or empty file, which is an error otherwise. Each call gets its own copy,
   * as JSON preserves it.
   */
  default?: T | undefined
}

/** How to update a file. The options of acquiring apply to its lock. */
export interface UpdateOptions extends AcquireOptions {
  /**
   * The mode of a new file, less the umask; 0o666 by default. An existing file keeps its mode and
   * owner.
   */
  mode?: number | undefined
  /**
   * Whether the old content is kept as `<file>.bak`, replacing an earlier one; `false` by default.
   */
  backup?: boolean | undefined
  /**
   * The lock: see {@link ForFileOptions.beside}. All programs that update the file must give the
   * same.
   */
  beside?: boolean | undefined
}

/** How to update a JSON file. */
export interface UpdateJSONOptions<T = Parsed> extends UpdateOptions, ReadJSONOptions<T> {
  /**
   * The indentation, as for `JSON.stringify()`; by default that of the file, or 2 for a new one.
   */
  indent?: number | string | undefined
}

/** How to update a file of text or bytes. */
export interface UpdateFileOptions extends UpdateOptions {
  /** The content is a string in this encoding; without it, a `Buffer`. */
  encoding?: BufferEncoding | null | undefined
  /** The content of a missing file, which is an error otherwise. */
  default?: string | Uint8Array | undefined
}

const MAX_MODE = 0o7777
const DEFAULT_MODE = 0o666

/** The options of an update, each read once and checked. */
export interface CheckedUpdate extends AcquireOptions {
  mode: number
  backup: boolean
  beside: boolean
}

export function checkReadJSON<T>(options: ReadJSONOptions<T> | undefined): T | undefined {
  checkObject('options', options)
  return options?.default
}

export function checkUpdate(options: UpdateOptions | undefined): CheckedUpdate {
  checkObject('options', options)
  const { mode = DEFAULT_MODE, backup = false, beside = false } = options ?? {}
  if (typeof mode !== 'number') throw invalidType('options.mode', 'a number', mode)
  if (!Number.isInteger(mode) || mode < 0 || mode > MAX_MODE) {
    throw invalidValue('options.mode', mode, 'must be an integer from 0 to 0o7777')
  }
  if (typeof backup !== 'boolean') throw invalidType('options.backup', 'a boolean', backup)
  checkBeside(beside)
  return { ...checkAcquireOptions(options ?? {}), mode, backup, beside }
}

export function checkIndent(indent: unknown): void {
  if (indent !== undefined && typeof indent !== 'number' && typeof indent !== 'string') {
    throw invalidType('options.indent', 'a number or a string', indent)
  }
  if (typeof indent === 'string' && !/^[ \t]*$/.test(indent)) {
    throw invalidValue('options.indent', indent, 'must be spaces or tabs')
  }
}

export function checkEncoding(encoding: unknown): void {
  if (encoding === undefined || encoding === null) return
  if (typeof encoding !== 'string') throw invalidType('options.encoding', 'a string', encoding)
  if (!Buffer.isEncoding(encoding)) {
    throw invalidValue('options.encoding', encoding, 'must be an encoding of Buffer')
  }
}

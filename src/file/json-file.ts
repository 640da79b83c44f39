import { invalidValue } from '../errors.js'
import { checkFunction } from '../options.js'
import * as disk from './disk.js'
import { JSONText, type Parsed, stringify } from './json.js'
import {
  checkIndent,
  checkReadJSON,
  checkUpdate,
  type ReadJSONOptions,
  type UpdateJSONOptions,
} from './options.js'
import { runAsync, runSync, type Steps } from './steps.js'
import { checkFile } from './target.js'
import { type Change, call, update, updateSync } from './update.js'

/**
 * Reads a JSON file and parses it. It takes no lock: `updateJSON()` replaces the file by a rename,
 * so this reads the old or the new content, without waiting for a writer. To read a file that is
 * written in place, use `forFile(file).read()`.
 *
 * Rejects with `ENOENT` for a missing file without `default`; with `ERR_LOCK_INVALID_CONTENT`; as
 * `fs.promises.readFile()`.
 */
export async function readJSON<T = Parsed>(file: string | URL, options?: ReadJSONOptions<T>): Promise<T> {
  return runAsync(readSteps(checkFile(file), checkReadJSON(options)))
}

/** Like {@link readJSON}, synchronously. @throws as that rejects */
export function readJSONSync<T = Parsed>(file: string | URL, options?: ReadJSONOptions<T>): T {
  return runSync(readSteps(checkFile(file), checkReadJSON(options)))
}

function* readSteps<T>(path: string, fallback: T | undefined): Steps<T> {
  let bytes: Buffer
  try {
    bytes = yield* disk.retryWhileShared(() => disk.readFile(path))
  } catch (error) {
    if (fallback === undefined || disk.codeOf(error) !== 'ENOENT') throw error
    return copyOf(fallback)
  }
  const json = new JSONText(bytes, path)
  return fallback !== undefined && json.isEmpty ? copyOf(fallback) : json.parse()
}

/**
 * Changes a JSON file that several processes share: waits for the lock of the file, reads it, calls
 * `fn(value)`, and replaces the file. Resolves with the new value: what `fn` returned, or the
 * argument, which it may have changed, if it returned nothing.
 *
 * ```ts
 * await updateJSON('settings.json', (settings) => { settings.theme = 'dark' }, { default: {} })
 * ```
 *
 * - A crash at any instruction, or a power cut, leaves the old content or the new one. If `fn`
 *   throws, the file is unchanged.
 * - A file whose value is the same afterwards is not written. Otherwise indentation, line ends,
 *   byte order mark and final newline stay as they are; a new file has two spaces and a final
 *   newline.
 * - Mode and owner are kept, as far as the process may set them, and symbolic links. Access control
 *   lists and extended attributes are not kept, and other hard links of the file keep the old
 *   content.
 * - Numbers are those of JavaScript: an integer above 2^53 in the file loses digits.
 * - `fn` must not update the same file: it would wait for itself.
 *
 * Rejects with what `fn` throws; with `ENOENT` for a missing file without `default`; with
 * `ERR_LOCK_INVALID_CONTENT`; with `EACCES` for a read-only file or folder; with other errors of
 * the system; as `lock.write()`.
 */
export async function updateJSON<T = Parsed>(
  file: string | URL,
  // biome-ignore lint/suspicious/noConfusingVoidType: what a function without `return` returns.
  fn: (value: T) => T | void | PromiseLike<T | void>,
  options?: UpdateJSONOptions<T>,
): Promise<T> {
  const edit = new JSONEdit<T>(fn, options)
  await update(checkFile(file), edit.change, checkUpdate(options))
  return edit.result as T
}

/**
 * Like {@link updateJSON}, blocking the thread. `fn` must not be async. @throws as that rejects;
 * `ERR_LOCK_DEADLOCK` if this thread updates the file at the moment.
 */
export function updateJSONSync<T = Parsed>(
  file: string | URL,
  // biome-ignore lint/suspicious/noConfusingVoidType: as above.
  fn: (value: T) => T | void,
  options?: UpdateJSONOptions<T>,
): T {
  const edit = new JSONEdit<T>(fn, options)
  updateSync(checkFile(file), edit.change, checkUpdate(options))
  return edit.result as T
}

// biome-ignore lint/suspicious/noConfusingVoidType: as above.
type Fn<T> = (value: T) => T | void | PromiseLike<T | void>

/** One change of a JSON file, and its result. */
class JSONEdit<T> {
  result: T | undefined
  readonly change: Change = (before) => this.#change(before)
  readonly #fn: Fn<T>
  readonly #default: T | undefined
  readonly #indent: number | string | undefined

  constructor(fn: Fn<T>, options: UpdateJSONOptions<T> | undefined) {
    checkFunction('fn', fn)
    this.#fn = fn
    this.#default = checkReadJSON(options)
    this.#indent = options?.indent
    checkIndent(this.#indent)
  }

  *#change({ path, bytes, missing }: Parameters<Change>[0]): Steps<Uint8Array | null> {
    const json = bytes === null ? null : new JSONText(bytes, path)
    const isNew = json === null || (json.isEmpty && this.#default !== undefined)
    if (json === null && this.#default === undefined) throw missing
    const value: T = isNew ? copyOf(this.#default as T) : json.parse()
    const returned = yield* call(this.#fn, value, 'updateJSON')
    const next = returned === undefined ? value : (returned as T)
    const text = stringify(next, json, this.#indent)
    if (text === undefined) throw invalidValue('fn', this.#fn, 'must return a value that JSON can represent')
    this.result = next
    if (!isNew && (text === json.text || JSON.stringify(json.parse()) === JSON.stringify(next))) return null
    return Buffer.from(text)
  }
}

/** The value that a file would give back. A copy, because `fn` may change its argument. */
function copyOf<T>(value: T): T {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined)
    throw invalidValue('options.default', value, 'must be a value that JSON can represent')
  return JSON.parse(text)
}

import { types } from 'node:util'
import { invalidType } from '../errors.js'
import { checkFunction } from '../options.js'
import { checkEncoding, checkUpdate, type UpdateFileOptions } from './options.js'
import type { Steps } from './steps.js'
import { checkFile } from './target.js'
import { decode } from './text.js'
import { type Change, call, update, updateSync } from './update.js'

/** The new content of a file; `undefined` stands for the argument, which may have been changed. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a function without `return` returns.
type NewContent = string | Uint8Array | undefined | void
type Fn<C> = (content: C) => NewContent | PromiseLike<NewContent>
type Text = BufferEncoding | (UpdateFileOptions & { encoding: BufferEncoding })
type Bytes = UpdateFileOptions & { encoding?: null | undefined }

/**
 * Like `updateJSON()`, for a file of bytes, or of text if an `encoding` is given. Resolves with the new content.
 *
 * ```ts
 * await updateFile('.env', (text) => `${text}PORT=3000\n`, { encoding: 'utf8', default: '' })
 * ```
 *
 * `default` is for a missing file only: an empty one is content. Text that is not valid in its encoding is
 * `ERR_LOCK_INVALID_CONTENT`, because it could not be written back.
 */
export function updateFile(file: string | URL, fn: Fn<Buffer>, options?: Bytes): Promise<Buffer>
export function updateFile(file: string | URL, fn: Fn<string>, options: Text): Promise<string>
export async function updateFile(
  file: string | URL,
  fn: Fn<Buffer> | Fn<string>,
  options?: Bytes | Text,
): Promise<Buffer | string> {
  const edit = new Edit(fn as Fn<Buffer | string>, options)
  await update(checkFile(file), edit.change, checkUpdate(edit.options))
  return edit.result
}

/** Like {@link updateFile}, blocking the thread. `fn` must not be async. @throws as that rejects */
export function updateFileSync(
  file: string | URL,
  fn: (content: Buffer) => NewContent,
  options?: Bytes,
): Buffer
export function updateFileSync(file: string | URL, fn: (content: string) => NewContent, options: Text): string
export function updateFileSync(
  file: string | URL,
  fn: ((content: Buffer) => NewContent) | ((content: string) => NewContent),
  options?: Bytes | Text,
): Buffer | string {
  const edit = new Edit(fn as Fn<Buffer | string>, options)
  updateSync(checkFile(file), edit.change, checkUpdate(edit.options))
  return edit.result
}

/** One change of a file, and its result. */
class Edit {
  result: Buffer | string = ''
  readonly options: UpdateFileOptions | undefined
  readonly change: Change = (before) => this.#change(before)
  readonly #fn: Fn<Buffer | string>
  readonly #encoding: BufferEncoding | null
  readonly #default: string | Uint8Array | undefined

  constructor(fn: Fn<Buffer | string>, options: Bytes | Text | undefined) {
    checkFunction('fn', fn)
    this.#fn = fn
    this.options = typeof options === 'string' ? { encoding: options } : options
    checkEncoding(this.options?.encoding)
    this.#encoding = this.options?.encoding ?? null
    this.#default = this.options?.default
    if (this.#default !== undefined) checkContent('options.default', this.#default)
  }

  *#change({ path, bytes, missing }: Parameters<Change>[0]): Steps<Uint8Array | null> {
    if (bytes === null && this.#default === undefined) throw missing
    // A copy: `fn` may change it.
    const before = Buffer.from(bytes ?? this.#encoded(this.#default as string | Uint8Array))
    const argument = this.#encoding === null ? before : decode(before, this.#encoding, path)
    const returned = yield* call(this.#fn, argument, 'updateFile')
    const content = returned === undefined ? argument : returned
    checkContent('the result of fn', content)
    const after = this.#encoded(content)
    this.result = this.#encoding === null ? after : after.toString(this.#encoding)
    return after
  }

  #encoded(content: string | Uint8Array): Buffer {
    if (typeof content === 'string') return Buffer.from(content, this.#encoding ?? 'utf8')
    return Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  }
}

function checkContent(name: string, content: unknown): asserts content is string | Uint8Array {
  if (typeof content !== 'string' && !types.isUint8Array(content)) {
    throw invalidType(name, 'a string or a Uint8Array', content)
  }
}

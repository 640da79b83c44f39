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
export type NewContent = string | Uint8Array | undefined | void

type Content = Buffer | string
type Fn = (content: Content) => NewContent | PromiseLike<NewContent>
type Options = BufferEncoding | UpdateFileOptions | undefined

/**
 * Like `updateJSON()`, for a file of bytes, or of text if an `encoding` is given. Resolves with the
 * new content.
 *
 * ```ts
 * await updateFile('.env', (text) => `${text}PORT=3000\n`, { encoding: 'utf8', default: '' })
 * ```
 *
 * `default` is for a missing file only: an empty one is content. Text that is not valid in its
 * encoding is `ERR_LOCK_INVALID_CONTENT`, because it could not be written back.
 */
export function updateFile(
  file: string | URL,
  fn: (content: Buffer) => NewContent | PromiseLike<NewContent>,
  options?: UpdateFileOptions & { encoding?: null | undefined },
): Promise<Buffer>
/** Like the other form, for text. */
export function updateFile(
  file: string | URL,
  fn: (content: string) => NewContent | PromiseLike<NewContent>,
  options: BufferEncoding | (UpdateFileOptions & { encoding: BufferEncoding }),
): Promise<string>
export async function updateFile(
  file: string | URL,
  fn: (content: never) => NewContent | PromiseLike<NewContent>,
  options?: Options,
): Promise<Content> {
  const edit = new Edit(fn as Fn, options)
  await update(checkFile(file), edit.change, checkUpdate(edit.options))
  return edit.result
}

/** Like {@link updateFile}, blocking the thread. `fn` must not be async. @throws as that rejects */
export function updateFileSync(
  file: string | URL,
  fn: (content: Buffer) => NewContent,
  options?: UpdateFileOptions & { encoding?: null | undefined },
): Buffer
/** Like the other form, for text. */
export function updateFileSync(
  file: string | URL,
  fn: (content: string) => NewContent,
  options: BufferEncoding | (UpdateFileOptions & { encoding: BufferEncoding }),
): string
export function updateFileSync(
  file: string | URL,
  fn: (content: never) => NewContent,
  options?: Options,
): Content {
  const edit = new Edit(fn as Fn, options)
  updateSync(checkFile(file), edit.change, checkUpdate(edit.options))
  return edit.result
}

/** One change of a file, and its result. */
class Edit {
  result: Content = ''
  readonly options: UpdateFileOptions | undefined
  readonly change: Change = (before) => this.#change(before)
  readonly #fn: Fn
  readonly #encoding: BufferEncoding | null
  readonly #default: string | Uint8Array | undefined

  constructor(fn: Fn, options: Options) {
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

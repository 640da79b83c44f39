// The lock that the arguments of a command name: NAME, `--path FILE`, or `--file DATA`.
import { UsageError } from './usage-error.js'

export interface RefValues {
  readonly path?: string | readonly string[] | undefined
  readonly file?: string | readonly string[] | undefined
}

/** A lock, and how messages name it. */
export interface Ref {
  /** A name or a path, as `new RWLock()` takes it. */
  readonly ref: string | { readonly path: string }
  readonly text: string
}

/**
 * All locks that the arguments name.
 *
 * @throws {@link UsageError} if there is none.
 */
export function refsOf({ path, file }: RefValues, names: readonly string[]): Ref[] {
  const refs = [
    ...names.map((name) => ({ ref: name, text: `'${name}'` })),
    ...[path ?? []].flat().map((each) => ({ ref: { path: each }, text: each })),
    ...[file ?? []].flat().map((each) => ({ ref: nameOfFile(each), text: `the file ${each}` })),
  ]
  if (refs.length === 0) throw new UsageError('which lock? Give a NAME, --path FILE or --file DATA')
  return refs
}

/**
 * The one lock that the arguments name.
 *
 * @throws {@link UsageError} if there is none, or several.
 */
export function refOf(values: RefValues, names: readonly string[]): Ref {
  const [ref, other] = refsOf(values, names)
  if (other !== undefined || ref === undefined) {
    throw new UsageError('give only one lock: a NAME, --path FILE or --file DATA')
  }
  return ref
}

function nameOfFile(file: string): string {
  // Only here: most calls name no file.
  const { checkFile, findTarget } = require('../file/target.js') as typeof import('../file/target.js')
  try {
    return findTarget(checkFile(file)).name
  } catch (error) {
    // The system names a folder that the user may not have written.
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw Object.assign(error as Error, {
      message: `the file ${file} cannot have a lock: ${(error as Error).message}; correct the path, or create its folder`,
    })
  }
}

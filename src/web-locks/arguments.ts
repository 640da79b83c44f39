// The arguments of request(), converted as WebIDL prescribes, and then checked as Web Locks do.
import { isSignal } from '../options.js'
import { invalidArguments, notSupported } from './errors.js'
import type { LockMode } from './lock.js'
import type { LockGrantedCallback } from './types.js'

/** A call of `request()`. */
export interface RequestArguments {
  readonly name: string
  readonly mode: LockMode
  readonly ifAvailable: boolean
  readonly steal: boolean
  readonly signal: AbortSignal | undefined
  readonly callback: LockGrantedCallback<unknown>
}

/** @throws `TypeError`; a `NotSupportedError`; the reason of a signal that has aborted */
export function convertArguments(args: readonly unknown[]): RequestArguments {
  const { length } = args
  if (length < 2) throw invalidArguments(`2 arguments required, but only ${length} present.`)
  // Each conversion can run code of the caller, so their order is visible: members of a dictionary
  // are read in that of their names.
  const name = `${args[0]}`
  const options = length > 2 ? args[1] : undefined
  if (
    options !== undefined &&
    options !== null &&
    typeof options !== 'object' &&
    typeof options !== 'function'
  ) {
    throw invalidArguments("The provided value is not of type 'LockOptions'.")
  }
  const members = (options ?? {}) as Record<'ifAvailable' | 'mode' | 'signal' | 'steal', unknown>
  const ifAvailable = Boolean(members.ifAvailable)
  const mode = convertMode(members.mode)
  const signal = convertSignal(members.signal)
  const steal = Boolean(members.steal)
  const position = length > 2 ? 2 : 1
  const callback = args[position]
  if (typeof callback !== 'function') {
    throw invalidArguments(`parameter ${position + 1} is not of type 'Function'.`)
  }
  check(name, mode, ifAvailable, steal, signal)
  return { name, mode, ifAvailable, steal, signal, callback: callback as LockGrantedCallback<unknown> }
}

function convertMode(value: unknown): LockMode {
  if (value === undefined) return 'exclusive'
  const mode = `${value}`
  if (mode === 'exclusive' || mode === 'shared') return mode
  throw invalidArguments(
    `Failed to read the 'mode' property from 'LockOptions': The provided value '${mode}' is not a valid enum value of type LockMode.`,
  )
}

/** A signal may be one of another realm, or of a library, as in a test runner that emulates a browser. */
function convertSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined
  if (isSignal(value)) return value
  throw invalidArguments(
    "Failed to read the 'signal' property from 'LockOptions': Failed to convert value to 'AbortSignal'.",
  )
}

function check(
  name: string,
  mode: LockMode,
  ifAvailable: boolean,
  steal: boolean,
  signal: AbortSignal | undefined,
): void {
  if (name.startsWith('-')) throw notSupported("Names cannot start with '-'.")
  if (steal && ifAvailable) {
    throw notSupported("The 'steal' and 'ifAvailable' options cannot be used together.")
  }
  if (steal && mode !== 'exclusive') {
    throw notSupported("The 'steal' option may only be used with 'exclusive' locks.")
  }
  if (signal !== undefined && (steal || ifAvailable)) {
    throw notSupported(
      `The 'signal' and '${steal ? 'steal' : 'ifAvailable'}' options cannot be used together.`,
    )
  }
}

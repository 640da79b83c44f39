import type { Awaitable } from '../../types.js'
import type { Machine } from './machine.js'

/** Something that is wrong, and what to do about it. */
export interface Finding {
  text: string
  remedy: string
}

/** `unknown`: it cannot be checked here; `text` says why. */
export interface Result {
  status: 'ok' | 'problem' | 'unknown'
  /** What was found if nothing is wrong. */
  text: string
  findings: Finding[]
}

export interface Check {
  /** In JSON; it does not change. */
  readonly name: string
  readonly title: string
  run(machine: Machine): Awaitable<Result>
}

export const ok = (text: string): Result => ({ status: 'ok', text, findings: [] })
export const unknown = (text: string): Result => ({ status: 'unknown', text, findings: [] })

/** `text` is for the case that there are no findings. */
export function resultOf(findings: Finding[], text: string): Result {
  return findings.length === 0 ? ok(text) : { status: 'problem', text: '', findings }
}

import { binding } from './binding.js'
import { type Handle, type Mode, READ } from './handle.js'

/** A hold that was given a name of its own. */
interface Labelled {
  handle: Handle
  ofRead: boolean
  label: string
}

/** A slot has room for the name of one read hold and one exclusive hold: of many the latest is shown. */
const labelled = new Map<number, Labelled[]>()

/** Names a hold; call what this returns when it ends or changes its mode. */
export function labelHold(handle: Handle, mode: Mode, label: string): () => void {
  const { attachment } = handle
  const entry = { handle, ofRead: mode === READ, label }
  const entries = labelled.get(attachment) ?? []
  entries.push(entry)
  labelled.set(attachment, entries)
  show(attachment, entry.ofRead)
  return () => drop(attachment, (other) => other === entry)
}

/** Drops the names of every hold of `handle`. */
export function dropLabels(handle: Handle): void {
  drop(handle.attachment, (entry) => entry.handle === handle)
}

function drop(attachment: number, which: (entry: Labelled) => boolean): void {
  const entries = labelled.get(attachment)
  if (!entries?.some(which)) return
  const rest = entries.filter((entry) => !which(entry))
  if (rest.length > 0) labelled.set(attachment, rest)
  else labelled.delete(attachment)
  show(attachment, true)
  show(attachment, false)
}

function show(attachment: number, ofRead: boolean): void {
  const latest = labelled.get(attachment)?.findLast((entry) => entry.ofRead === ofRead)
  binding.setLabel(attachment, latest?.label ?? '', ofRead ? 1 : 2)
}

import { binding } from './binding.js'
import type { Handle } from './handle.js'

/** What a hold is called, until it ends or changes its mode. The binding shows the latest of an attachment. */
export class Label {
  readonly #handle: Handle
  readonly #ofRead: boolean
  readonly #number: number

  constructor(handle: Handle, ofRead: boolean, label: string) {
    this.#handle = handle
    this.#ofRead = ofRead
    this.#number = binding.labelHold(handle.attachment, label, ofRead)
    handle.labels.add(this)
  }

  drop(): void {
    if (this.#handle.labels.delete(this)) {
      binding.dropLabel(this.#handle.attachment, this.#number, this.#ofRead)
    }
  }
}

/** Drops the names of every hold of `handle`. */
export function dropLabels(handle: Handle): void {
  for (const label of handle.labels) label.drop()
}

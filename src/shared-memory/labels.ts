import { binding } from './binding.js'

/**
 * The label of a hold, until the hold ends or changes its mode. `inspect()` shows the latest label
 * of an attachment.
 */
export class Label {
  readonly #labels: Set<Label>
  readonly #attachment: number
  readonly #ofRead: boolean
  readonly #number: number

  /** `labels` has every label of its handle. */
  constructor(labels: Set<Label>, attachment: number, ofRead: boolean, text: string) {
    this.#labels = labels
    this.#attachment = attachment
    this.#ofRead = ofRead
    this.#number = binding.labelHold(attachment, text, ofRead)
    labels.add(this)
  }

  drop(): void {
    if (this.#labels.delete(this)) binding.dropLabel(this.#attachment, this.#number, this.#ofRead)
  }
}

import type { LockReport } from '../../report.js'
import type { Line } from '../line.js'
import type { Model } from '../model.js'
import type { Look } from '../sampler.js'

/** Everything that a frame shows. */
export interface Frame {
  model: Model
  look: Look
  /** The time of the look. */
  time: Date
  /** In ms. */
  interval: number
  /** The size of the screen. */
  columns: number
  rows: number
  /** Whether the terminal shows more than ASCII. */
  unicode: boolean
  /** Why the last look failed. */
  failure: string | null
  /** More about the lock that the user looks into; `null` if it is not known yet. */
  report: LockReport | null
}

/** A part of the screen, above or below the rows of which it shows as many as there is room for. */
export type Lines = readonly Line[]

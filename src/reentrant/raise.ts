import { performance } from 'node:perf_hooks'
import { LockError } from '../errors.js'
import { WRITE } from '../modes.js'
import { PendingRequest } from '../pending.js'
import type { JointHold } from './joint-hold.js'

/** One upgrade of the engine. */
interface Attempt {
  /** The earliest of all requests. */
  deadline: number
  controller: AbortController
}

/**
 * The requests for the write mode of a {@link JointHold}: the engine upgrades its hold once for all
 * of them. Each has its own timeout and signal.
 */
export class Raise {
  readonly #joint: JointHold
  /** With their deadlines. */
  readonly #requests = new Map<PendingRequest<JointHold>, number>()
  #attempt: Attempt | undefined

  constructor(joint: JointHold) {
    this.#joint = joint
  }

  get isPending(): boolean {
    return this.#requests.size > 0 || this.#attempt !== undefined
  }

  add(request: PendingRequest<JointHold>): void {
    const deadline = performance.now() + request.timeout
    this.#requests.set(request, deadline)
    if (this.#attempt === undefined) this.#begin()
    else if (deadline < this.#attempt.deadline) this.interrupt() // and begins again
  }

  delete(request: PendingRequest<JointHold>): void {
    this.#requests.delete(request)
    if (this.#requests.size === 0) this.interrupt()
  }

  /** Ends the upgrade that waits. It begins again if requests are left that need it. */
  interrupt(): void {
    this.#attempt?.controller.abort()
  }

  #begin(): void {
    const { engine, hold, lowering } = this.#joint
    const deadline = Math.min(...this.#requests.values())
    const label = [...this.#requests.keys()].find((request) => request.label !== undefined)?.label
    const controller = new AbortController()
    const attempt = { deadline, controller }
    this.#attempt = attempt
    const upgrade = async () => {
      engine.assertOpen()
      if (this.#joint.mode === WRITE) return // a call around this one writes
      if (engine.capabilities.sync && engine.tryUpgrade(hold)) return
      const timeout = Math.max(0, deadline - performance.now())
      const options = { timeout, label, signal: controller.signal }
      await new PendingRequest(engine, hold.lock, WRITE, options, hold).promise
    }
    const upgraded = lowering === undefined ? upgrade() : lowering.then(upgrade)
    upgraded.then(
      () => this.#grant(),
      (error) => this.#giveUp(attempt, error),
    )
  }

  #grant(): void {
    this.#attempt = undefined
    this.#joint.mode = WRITE
    const requests = [...this.#requests.keys()]
    this.#requests.clear()
    for (const request of requests) request.grant(this.#joint)
    this.#joint.raiseEnded()
  }

  #giveUp(attempt: Attempt, error: unknown): void {
    this.#attempt = undefined
    const joint = this.#joint
    const isTimeout = error instanceof LockError && error.code === 'ERR_LOCK_TIMEOUT'
    const isInterrupted = attempt.controller.signal.aborted
    for (const [request, deadline] of this.#requests) {
      if (isInterrupted || (isTimeout && deadline > attempt.deadline)) continue
      this.#requests.delete(request)
      if (isTimeout) request.timeOut(error)
      else request.fail(error)
    }
    if (joint.mode === WRITE) this.#grant()
    else if (this.#requests.size > 0) this.#begin()
    else joint.raiseEnded()
  }
}

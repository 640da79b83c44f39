// One teardown per test, in the only order that works: users before what they use.

const STAGES = /** @type {const} */ (['processes', 'locks', 'names', 'files'])

/** @typedef {Record<(typeof STAGES)[number], Array<() => unknown>>} Plan */

/** @type {WeakMap<import('ava').ExecutionContext<any>, Plan>} */
const plans = new WeakMap()

/**
 * Registers a step for the end of the test, whether it passes or fails.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {(typeof STAGES)[number]} stage
 * @param {() => unknown} step
 */
export function cleanUp(t, stage, step) {
  let plan = plans.get(t)
  if (!plan) {
    plan = { processes: [], locks: [], names: [], files: [] }
    plans.set(t, plan)
    t.teardown(() => carryOut(/** @type {Plan} */ (plan)))
  }
  plan[stage].push(step)
}

/** @param {Plan} plan */
async function carryOut(plan) {
  const errors = []
  for (const stage of STAGES) {
    const ends = await Promise.allSettled(plan[stage].map(async (step) => step()))
    for (const end of ends) if (end.status === 'rejected') errors.push(end.reason)
  }
  // A step that fails must not prevent the later ones, but must be reported.
  if (errors.length === 1) throw errors[0]
  if (errors.length > 1) throw new AggregateError(errors, errors.map(String).join('; '))
}

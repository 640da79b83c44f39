// Mutants of the lock whose memory orderings are weaker.

/**
 * At a step, or in a function ("fn name"), the next SeqCst becomes `order`: after `nth` others, and as many as `times`.
 *
 * @param {string} file
 * @param {string} place
 * @param {'AcqRel' | 'Acquire' | 'Release' | 'Relaxed'} order
 * @param {{ nth?: number, times?: number, survives?: string }} [options] `survives`: why the check is right not to find it
 * @returns {import('./run.js').Mutant}
 */
export function weaker(file, place, order, { nth = 0, times = 1, survives } = {}) {
  const name = `${file} ${place.replace('fn ', '')}${nth > 0 ? ' (failing)' : ''}: ${order}`
  const code = place.startsWith('fn ') ? `${place}(` : `crash_point!(${place})`
  const change = (/** @type {string} */ text) => {
    const start = text.indexOf(code)
    if (start < 0) throw new Error(`there is no ${code}`)
    let skip = nth
    let left = times
    const each = () => (skip-- > 0 || left-- <= 0 ? 'SeqCst' : `std::sync::atomic::Ordering::${order}`)
    return text.slice(0, start) + text.slice(start).replace(/(?<!\/\/.*)\bSeqCst\b/g, each)
  }
  return { name, file, change: [change], survives }
}

// Applies a mutant to sources, which stay as they are.
import { Source } from './tree.js'

/**
 * A deliberate fault.
 *
 * @typedef {object} Mutant
 * @property {string} name
 * @property {string} [breaks] the rule that it breaks, where the name does not say it
 * @property {import('./operators.js').Change[]} change each found in the unchanged sources; they may not overlap
 * @property {string} [survives] why the check is right not to find it
 * @property {boolean} [quick] tried with every change
 */

/**
 * The texts that a mutant changes, by their files.
 *
 * @param {import('./tree.js').Tree} tree
 * @param {{ name: string, change: import('./operators.js').Change[] }} mutant
 * @returns {Map<string, string>}
 */
export function mutate(tree, { name, change }) {
  try {
    const edits = change.flatMap((each) => each(tree)).toSorted((a, b) => a.start - b.start || a.end - b.end)
    /** @type {Map<string, string>} */
    const texts = new Map()
    for (const source of new Set(edits.map((edit) => edit.source))) {
      const text = edited(
        source,
        edits.filter((edit) => edit.source === source),
      )
      if (text === source.text) throw new Error(`it changes nothing in ${source.file}`)
      // It throws if brackets do not fit any more.
      new Source(source.file, text, source.language)
      texts.set(source.file, text)
    }
    if (texts.size === 0) throw new Error('it changes nothing')
    return texts
  } catch (error) {
    throw new Error(`mutant "${name}": ${error.message}`)
  }
}

/**
 * @param {Source} source
 * @param {import('./operators.js').Edit[]} edits in their order
 */
function edited(source, edits) {
  let text = ''
  let done = 0
  for (const { start, end, text: replacement } of edits) {
    if (start < done) throw new Error(`two of its changes overlap in ${source.file}`)
    text += source.text.slice(done, start) + replacement
    done = end
  }
  return text + source.text.slice(done)
}

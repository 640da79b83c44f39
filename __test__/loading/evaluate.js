// Evaluates the JavaScript of the package again, in this context or in one of node:vm, like a
// module registry that is reset (Jest, reloading servers). Reads CommonJS and the simple forms of
// ES modules that tsc writes.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import vm from 'node:vm'

const entry = createRequire(import.meta.url).resolve('process-rwlock')

/**
 * The exports of the package, evaluated again.
 *
 * @param {import('node:vm').Context} [context] this one unless given
 * @returns {typeof import('process-rwlock')}
 */
export function evaluate(context) {
  /** @type {Map<string, { exports: any }>} */
  const modules = new Map()
  const load = (/** @type {string} */ file) => {
    const known = modules.get(file)
    if (known) return known.exports
    const module = { exports: {} }
    modules.set(file, module)
    const code = `(function (exports, $require, module, __filename, __dirname) {${asCommonJS(file)}\n})`
    const wrapper = context
      ? vm.runInContext(code, context, { filename: file })
      : vm.runInThisContext(code, { filename: file })
    const own = createRequire(file)
    const requireFrom = (/** @type {string} */ id) =>
      id.startsWith('.') && !/\.(node|json)$/.test(id) ? load(own.resolve(id)) : own(id)
    wrapper(module.exports, Object.assign(requireFrom, own), module, file, dirname(file))
    return module.exports
  }
  return load(entry)
}

/** @param {string} file */
function asCommonJS(file) {
  const code = readFileSync(file, 'utf8')
  if (!/^(import|export) /m.test(code)) return `const require = $require; ${code}`
  /** @type {string[]} */
  const exported = []
  const body = code
    .replace(/^export \{\s*\};?$/gm, '')
    .replace(/^import (\{[^}]*\}) from ('[^']+');?$/gm, (_, names, from) => {
      return `const ${names.replace(/ as /g, ': ')} = $require(${from})`
    })
    .replace(/^export \{[^}]*\} from ('[^']+');?$/gm, 'Object.assign(exports, $$require($1))')
    .replace(/^export ((?:async )?function|class|const|let) (\w+)/gm, (_, kind, name) => {
      exported.push(name)
      return `${kind} ${name}`
    })
    .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(file).href))
  return `${body}\nObject.assign(exports, { ${exported} })`
}

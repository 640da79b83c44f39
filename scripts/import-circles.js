// Part of npm run lint: no circle of imports in crates/rwlock/src or src has more than four files.
// A circle is a strongly connected component: each of its files needs all others. Tests do not
// count.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readArguments } from './lib/arguments.js'
import { root } from './lib/run.js'

const MOST = 4

readArguments('node scripts/import-circles.js   lists the circles of imports; fails if one is too large', {})

const checkout = fileURLToPath(root)

/** @typedef {Map<string, Set<string>>} Graph the imported files of each file */

/** @param {string} folder */
const filesIn = (folder, /** @type {string} */ extension) =>
  readdirSync(join(checkout, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith(extension))
    .toSorted()

/**
 * The imports between the modules of a crate: every path that begins with `crate`, `super`, `self`
 * or a module of the file.
 */
function rustGraph(/** @type {string} */ folder) {
  const files = filesIn(folder, '.rs')
  const sources = new Map(
    files.map((file) => [file, productionCode(readFileSync(join(checkout, folder, file), 'utf8'))]),
  )
  /** @param {string} file */
  const moduleOf = (file) =>
    file
      .replace(/\.rs$/, '')
      .replace(/\/mod$|^(lib|main)$/, '')
      .split('/')
      .filter(Boolean)
  const byModule = new Map(files.map((file) => [moduleOf(file).join('/'), file]))
  const tests = new Set()
  /** @type {Map<string, Set<string>>} */
  const children = new Map()
  /** @type {Map<string, string[]>} */
  const aliases = new Map()
  for (const file of files) {
    const text = readFileSync(join(checkout, folder, file), 'utf8')
    const named = new Set()
    // With `#[path]`, one module name can mean several files.
    for (const [, path, name] of text.matchAll(
      /^(?:#\[path = "(\w+)\.rs"\]\s*)?(?:pub\([^)]*\) )?mod (\w+);/gm,
    )) {
      named.add(name)
      if (path)
        aliases.set([...moduleOf(file), name].join('/'), [
          ...(aliases.get([...moduleOf(file), name].join('/')) ?? []),
          path,
        ])
    }
    for (const [, child, alias] of text.matchAll(/^use (\w+) as (\w+);/gm)) {
      if (!named.has(child)) continue
      named.add(alias)
      aliases.set([...moduleOf(file), alias].join('/'), [
        ...(aliases.get([...moduleOf(file), alias].join('/')) ?? []),
        child,
      ])
    }
    children.set(file, named)
    for (const [, name] of text.matchAll(
      /#\[cfg\((?:all\()?test\b[^\n]*\n(?:#\[path[^\n]*\n)?(?:pub\([^)]*\) )?mod (\w+);/g,
    ))
      tests.add([...moduleOf(file), name].join('/'))
  }
  /**
   * The longest part of the path that is a module; several where a name stands for one on each
   * system.
   *
   * @param {string[]} module
   * @param {string[]} rest
   * @returns {string[]}
   */
  const modulesOf = (module, [next, ...rest]) => {
    if (next === undefined) return [module.join('/')]
    const names = aliases.get([...module, next].join('/')) ?? [next]
    const deeper = names.map((name) => [...module, name]).filter((each) => byModule.has(each.join('/')))
    return deeper.length > 0 ? deeper.flatMap((each) => modulesOf(each, rest)) : [module.join('/')]
  }
  /** @type {Graph} */
  const graph = new Map()
  for (const [file, source] of sources) {
    const own = moduleOf(file)
    if (tests.has(own.join('/'))) continue
    const imports = new Set()
    for (const path of pathsIn(source, children.get(file) ?? new Set())) {
      let [first, ...rest] = path
      let module = first === 'crate' ? [] : own
      if (children.get(file)?.has(first)) rest = path
      if (first === 'super') {
        module = own.slice(0, -1)
        while (rest[0] === 'super') {
          module = module.slice(0, -1)
          rest.shift()
        }
      }
      for (const found of modulesOf(module, rest)) {
        const target = byModule.get(found)
        if (target && target !== file && !tests.has(found)) imports.add(target)
      }
    }
    graph.set(file, imports)
  }
  return graph
}

/** The source without comments, strings, and code that only tests compile. */
function productionCode(/** @type {string} */ text) {
  return text
    .replace(/\/\/.*$/gm, '')
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/#\[cfg\((?:doc|(?:all\()?test\b[^\n]*)\)?\]\n(?:pub\S* )?use [^;]*;/g, '')
    .replace(/#\[cfg\((?:all\()?test\b[^\n]*\n(?:pub\([^)]*\) )?mod \w+ \{[\s\S]*?^\}/gm, '')
}

/**
 * The paths in `source`, the braces of its `use` taken apart.
 *
 * @returns {string[][]}
 */
function pathsIn(/** @type {string} */ source, /** @type {Set<string>} */ children) {
  /** @type {string[][]} */
  const paths = []
  const expand = (/** @type {string[]} */ prefix, /** @type {string} */ tree) => {
    let depth = 0
    let start = 0
    for (let at = 0; at <= tree.length; at++) {
      const letter = tree[at] ?? ','
      if (letter === '{') depth++
      if (letter === '}') depth--
      if (letter !== ',' || depth > 0) continue
      const part = tree.slice(start, at).trim()
      start = at + 1
      if (!part) continue
      const group = /^([\w:]*?)(?:::)?\{([\s\S]*)\}$/.exec(part)
      if (group) expand([...prefix, ...group[1].split('::').filter(Boolean)], group[2])
      else paths.push([...prefix, ...part.split(' as ')[0].split('::')])
    }
  }
  const uses = /\buse ([^;]*);/g
  for (const [, tree] of source.matchAll(uses)) expand([], tree)
  for (const [path] of source.replace(uses, '').matchAll(/(?<![\w:])\w+(?:::\w+)+/g))
    paths.push(path.split('::'))
  return paths.filter(([first]) => ['crate', 'super', 'self'].includes(first) || children.has(first))
}

/** The imports between TypeScript files, including imports of types. */
function typeScriptGraph(/** @type {string} */ folder) {
  /** @type {Graph} */
  const graph = new Map()
  for (const file of filesIn(folder, '.ts')) {
    const imports = new Set()
    const text = readFileSync(join(checkout, folder, file), 'utf8')
    for (const [, target] of text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']*)'/g)) {
      const path = resolve(checkout, folder, dirname(file), target.replace(/\.js$/, '.ts'))
      if (existsSync(path)) imports.add(relative(join(checkout, folder), path).replaceAll('\\', '/'))
    }
    graph.set(posix.normalize(file), imports)
  }
  return graph
}

/**
 * The strongly connected components of more than one file, by Tarjan's algorithm.
 *
 * @param {Graph} graph
 */
function circlesOf(graph) {
  /** @type {Map<string, { index: number, low: number, open: boolean }>} */
  const seen = new Map()
  /** @type {string[]} */
  const stack = []
  /** @type {string[][]} */
  const circles = []
  const visit = (/** @type {string} */ file) => {
    const own = { index: seen.size, low: seen.size, open: true }
    seen.set(file, own)
    stack.push(file)
    for (const next of graph.get(file) ?? []) {
      const other = seen.get(next) ?? visit(next)
      if (other.open) own.low = Math.min(own.low, other.low)
    }
    if (own.low === own.index) {
      const circle = stack.splice(stack.indexOf(file))
      for (const each of circle) /** @type {any} */ (seen.get(each)).open = false
      if (circle.length > 1) circles.push(circle.toSorted())
    }
    return own
  }
  for (const file of graph.keys()) if (!seen.has(file)) visit(file)
  return circles.toSorted((one, other) => other.length - one.length)
}

for (const [folder, graph] of /** @type {[string, Graph][]} */ ([
  ['crates/rwlock/src', rustGraph('crates/rwlock/src')],
  ['src', typeScriptGraph('src')],
])) {
  const circles = circlesOf(graph)
  console.log(`${folder}: ${graph.size} files, ${circles.length} circles of imports`)
  for (const circle of circles) {
    console.log(`  ${circle.length}: ${circle.join(' ')}`)
    if (circle.length > MOST) process.exitCode = 1
  }
}
if (process.exitCode) console.error(`No circle of imports may have more than ${MOST} files.`)

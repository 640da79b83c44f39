/**
 * Fails unless `import` and `require()` have given the same.
 *
 * @param {object} imported
 * @param {object} required
 */
exports.same = function same(imported, required) {
  const names = Object.keys(required).sort()
  // What Node.js adds where it imports CommonJS itself.
  const added = ['default', 'module.exports', '__esModule']
  const others = Object.keys(imported)
    .filter((name) => !added.includes(name))
    .sort()
  if (names.join() !== others.join()) throw new Error(`import gives ${others}, require() ${names}`)
  for (const name of names) {
    if (imported[name] !== required[name]) throw new Error(`import and require() give two copies of ${name}`)
  }
}

// webpack.mjs ENTRY FORMAT OUTPUT [EXTERNAL]
import { basename, dirname, resolve } from 'node:path'
import webpack from 'webpack'

const [entry = '', format, outfile = '', external] = process.argv.slice(2)
const isModule = format === 'esm'
webpack(
  {
    mode: 'production',
    target: 'node20',
    entry: resolve(entry),
    experiments: { outputModule: isModule },
    externals: external ? [new RegExp(`^${external}(/|$)`)] : [],
    externalsType: isModule ? 'module' : 'commonjs',
    output: {
      path: resolve(dirname(outfile)),
      filename: basename(outfile),
      chunkFormat: isModule ? 'module' : 'commonjs',
    },
  },
  (error, stats) => {
    if (error) throw error
    if (stats?.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }))
  },
)

// rollup.mjs ENTRY FORMAT OUTPUT
import commonjs from '@rollup/plugin-commonjs'
import resolve from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'

const [input = '', format, file] = process.argv.slice(2)
const bundle = await rollup({ input, external: /^node:/, plugins: [resolve(), commonjs()], onwarn() {} })
await bundle.write({ file, format: format === 'esm' ? 'es' : 'cjs' })

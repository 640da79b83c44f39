// esbuild.mjs ENTRY FORMAT OUTPUT [EXTERNAL]
import { build } from 'esbuild'

const [entry = '', format, outfile, external] = process.argv.slice(2)
await build({
  entryPoints: [entry],
  outfile,
  bundle: true,
  platform: 'node',
  format: format === 'esm' ? 'esm' : 'cjs',
  external: external ? [external] : [],
  logLevel: 'error',
})

// vite.mjs ENTRY FORMAT OUTPUT
import { basename, dirname, resolve } from 'node:path'
import { build } from 'vite'

const [entry, format, file = ''] = process.argv.slice(2)
await build({
  configFile: false,
  logLevel: 'error',
  ssr: { noExternal: true },
  build: {
    ssr: entry,
    outDir: resolve(dirname(file)),
    emptyOutDir: false,
    rolldownOptions: { output: { format: format === 'esm' ? 'es' : 'cjs', entryFileNames: basename(file) } },
  },
})

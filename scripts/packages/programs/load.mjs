// load.mjs FILE: what comes of loading it.
import { pathToFileURL } from 'node:url'

const [file = ''] = process.argv.slice(2)
await import(pathToFileURL(file).href).then(
  () => console.log('loaded'),
  ({ name, code, message }) => console.log(`${name} ${code}: ${message}`),
)

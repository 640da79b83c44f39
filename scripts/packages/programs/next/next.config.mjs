import { dirname } from 'node:path'

// Where Next.js itself is installed.
const root = dirname(dirname(import.meta.dirname))

export default {
  serverExternalPackages: ['process-rwlock'],
  outputFileTracingRoot: root,
  turbopack: { root },
}

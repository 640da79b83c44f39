// Sends which files of the tracing it has loaded.
import { createRequire } from 'node:module'
import 'process-rwlock'

const { cache } = createRequire(import.meta.url)
const files = Object.keys(cache).flatMap((file) => /dist[/\\]trace[/\\](.*)/.exec(file)?.[1] ?? [])
process.send?.({ type: 'files', files })
process.disconnect?.()

import type { Options } from './command.js'

/** The options of a command that takes a lock, beside a positional NAME. See `ref.ts`. */
export const REF_OPTIONS = {
  path: { type: 'string', value: 'FILE', description: 'the lock that is this file' },
  file: {
    type: 'string',
    value: 'DATA',
    description: 'the lock that protects this file, as forFile() opens it',
  },
} as const satisfies Options

import type { ValuesOf } from '../command.js'
import { REF_OPTIONS } from '../ref-options.js'

export const options = {
  ...REF_OPTIONS,
  read: { type: 'boolean', short: 's', description: 'share the lock with other readers' },
  upgradable: { type: 'boolean', short: 'u', description: 'share the lock with readers only' },
  write: { type: 'boolean', short: 'x', description: 'hold the lock alone (the default)' },
  timeout: {
    type: 'string',
    short: 'w',
    value: 'S',
    description: 'wait for at most S seconds; decimals are allowed. The default is no limit',
  },
  'no-wait': { type: 'boolean', short: 'n', description: 'do not wait' },
  'conflict-exit-code': {
    type: 'string',
    short: 'E',
    value: 'N',
    description: 'exit with N if the lock is not granted (default 1)',
  },
  label: {
    type: 'string',
    short: 'l',
    value: 'TEXT',
    description: 'shown to those who inspect the lock; the default is the name of the command',
  },
  quiet: {
    type: 'boolean',
    short: 'q',
    description: 'print nothing while it waits, nor if the lock is not granted',
  },
} as const

export type Values = ValuesOf<typeof options>

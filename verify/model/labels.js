// The model and the code have the same labels: `crash_point!(label)` before an access in crates/rwlock/src,
// `/* crash point: label */` beside it in rwlock.pml. A label that only one side has is a difference.
import { readdirSync, readFileSync } from 'node:fs'
import { source } from './search.js'

const code = new URL('../../crates/rwlock/src/', import.meta.url)

/** Labels that the model omits, and why. Those of files and shared memory ([isAboutFiles]) may be in the model or not. */
export const exceptions = {
  'diagnostic words decide nothing': [
    'attach_identity',
    'label',
    'label_hold',
    'store_pending',
    'show_request',
    'hide_request',
    'stamp_drain',
    'stamp_exclusive',
    'stamp_read',
    'stamp_write',
    'drain_since',
  ],
  'an inspection only loads, and its result is old when it arrives': [
    'died_load',
    'inspect_died',
    'inspect_gate',
    'inspect_identity',
    'inspect_queued',
    'inspect_reads',
    'poison_load',
    'token_load',
  ],
  'the model has no synchronous requests: this load finds out whether one waits for its own thread': [
    'itself_load',
  ],
  'a lock is removed, or its file replaced, only while no process has it open': [
    'clean_load',
    'in_use_load',
    'location_load',
  ],
  'the flags that are loaded there never change: a search has one of their values': ['flags_load'],
  'a grace period may be over at any check, so its length does not matter': [
    'drain_skip_count',
    'skip_count',
    'skip_load_count',
  ],
  'the watcher sleeps for the attachment; its own doorbell is not part of the lock': [
    'interrupt_call',
    'interrupt_mark',
    'sleep_any',
    'take_interrupt',
    'wake_load_mark',
  ],
  'a ring replaces the call that wakes a sleeper; a waiter that it misses finds the mark': [
    'doorbell_load',
    'doorbell_mute',
    'doorbell_set',
    'doorbell_unmute',
    'ring',
  ],
  'an exit notice causes an early check, and a check may come at any time': [
    'exit_wake_load',
    'exit_notice_pid',
  ],
  'the model tries slots in any order, any number of times': [
    'attach_again',
    'attach_begin',
    'attach_vacant',
    'leftover_load',
  ],
  'phantom holds come from damaged memory, which is not in the model': [
    'mark_upgradable',
    'owner_knows_load',
  ],
}

/**
 * What is wrong, a line each.
 *
 * @param {string} model
 */
export function differences(model = source) {
  const { protocol, segment } = labelsOfCode()
  const modelled = labelsOfModel(model)
  const excepted = new Set(Object.values(exceptions).flat())
  return [
    ...[...protocol]
      .filter((label) => !modelled.has(label) && !excepted.has(label))
      .map((label) => `${label}: only in the code`),
    ...[...modelled]
      .filter((label) => !protocol.has(label) && !segment.has(label))
      .map((label) => `${label}: only in the model`),
    ...[...excepted]
      .filter((label) => !protocol.has(label) && !segment.has(label))
      .map((label) => `${label}: excepted, but not in the code`),
    ...[...excepted]
      .filter((label) => modelled.has(label))
      .map((label) => `${label}: excepted, but in the model`),
  ]
}

export function labelsOfModel(model = source) {
  return new Set(
    [...model.matchAll(/\/\* crash point: ([\w, ]+) \*\//g)].flatMap(([, labels]) => labels.split(', ')),
  )
}

/** Opening, laying out and removing a lock; but that an attachment takes a slot, and lives, is part of the protocol. */
const isAboutFiles = (/** @type {string} */ file) =>
  /^(shm|sys[\\/](files|shared_memory))[\\/]/.test(file) && !/^shm[\\/](claim|lock_file)\.rs$/.test(file)

function labelsOfCode() {
  const protocol = new Set()
  const segment = new Set()
  for (const file of readdirSync(code, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.rs'),
  )) {
    const text = readFileSync(new URL(file, code), 'utf8').replace(/^\s*\/\/.*$/gm, '')
    for (const [, label] of text.matchAll(/\bcrash_point!\((\w+)\)/g)) {
      const labels = isAboutFiles(file) ? segment : protocol
      labels.add(label)
    }
  }
  return { protocol, segment }
}

// Faults that `npm run sanitize -- --mutants` must find, each by one sanitizer in one test.

import { after, call, replaces } from '../operators.js'
import { weaker, weakerIn } from '../orderings.js'

/** @typedef {import('../mutate.js').Mutant & { kind: string, tests: string[] }} Sanitized */

/** Threads on one mapping. */
export const PROTOCOL = ['orderings::threads']

/** @type {Sanitized[]} */
export const mutants = [
  ...[
    weakerIn('GateLine::swap', 'Acquire'),
    weakerIn('GateLine::load', 'Relaxed'),
    weaker('release_read', 'Acquire'),
    weaker('scan_reads', 'Relaxed'),
  ].map((mutant) => ({ ...mutant, kind: 'protocol', tests: PROTOCOL })),
  {
    name: 'a label is read past its end',
    kind: 'address',
    tests: ['a_label_is_cut'],
    change: [
      replaces(
        'store_bytes',
        '$bytes.get($index * 8..).unwrap_or(&[])',
        'unsafe { std::slice::from_raw_parts($bytes.as_ptr().wrapping_add($index * 8), 8) }',
      ),
    ],
  },
  {
    name: 'a lock stays mapped',
    kind: 'address',
    tests: ['an_upgrader_that_was_skipped'],
    change: [after(call('Attachment::drop', 'withdraw_all'), 'std::mem::forget(self.segment.clone());')],
  },
  {
    name: 'the watcher reads its list without the mutex',
    kind: 'thread',
    tests: ['watch'],
    change: [
      replaces(
        'keep_watch',
        'lock(&self.watched).entries.clone()',
        `{
          let watched = (&raw const self.watched).cast_mut();
          unsafe { &mut *watched }.get_mut().unwrap().entries.clone()
        }`,
      ),
    ],
  },
]

// Faults that `npm run fuzz -- --mutants` must find, each by one fuzzer.
import { becomes, condition, forces, point, replaces } from '../operators.js'

/** @type {(import('../mutate.js').Mutant & { target: string })[]} */
export const mutants = [
  {
    name: 'the high-water mark is trusted',
    target: 'open',
    change: [replaces('used_slots', '.min($slots.len())', '')],
  },
  {
    name: 'the reader bitmap is trusted',
    target: 'open',
    change: [replaces('#scan_reads', '.is_some_and(', '.map_or_else(|| panic!("beyond the slots"), ')],
  },
  {
    name: 'the owner of a drain is trusted',
    target: 'open',
    change: [replaces('steals', '.is_some_and(', '.map_or_else(|| panic!("beyond the slots"), ')],
  },
  {
    name: "the gate's owner is trusted",
    target: 'open',
    change: [forces(condition('gate_owner', 'owner'), 'true')],
  },
  {
    name: 'the length of the memory is not compared with its capacity',
    target: 'open',
    change: [replaces('#check_magic', '!$fits($expected) ||', '')],
  },
  {
    name: 'a wait sleeps only on a word that is zero',
    target: 'open',
    change: [replaces('#sleep_load', '($word, $seen, $until)', '($word, 0, $until)')],
  },
  {
    name: 'the watcher does not clear the unknown bits of a wake word',
    target: 'open',
    change: [becomes(point('take_interrupt'), 'word.news.fetch_and(!INTERRUPTED, SeqCst);')],
  },
  {
    name: 'an attachment does not check whether the gate names it as the owner',
    target: 'open',
    change: [
      replaces('check_gate', 'if $owner == self.index => {}', 'if $owner == self.index => return Ok(()),'),
    ],
  },
  {
    name: 'the length of the value is trusted',
    target: 'open',
    change: [
      replaces('Stamp::length', 'Some($length) if $length as usize <= VALUE_BYTES =>', 'Some($length) =>'),
    ],
  },
  {
    name: "a read that is retracted wakes the attachment's own writer",
    target: 'running',
    change: [forces(condition('retract_read', 'is_owned_by'), 'true')],
  },
  {
    name: "a damaged lock's token becomes the token floor of all locks",
    target: 'named',
    change: [replaces('LastToken::raise', '.max($limited($token, $now))', '.max($token)')],
  },
]

// Faults that `npm run crash -- --mutants` must find. Each breaks one rule of the lock.
import {
  becomes,
  before,
  begins,
  call,
  condition,
  forces,
  guard,
  omits,
  point,
  replaces,
  returns,
  skips,
} from '../operators.js'

/** @type {import('../mutate.js').Mutant[]} */
export const mutants = [
  {
    name: 'poison-never',
    breaks: 'recovery frees the gate of a dead writer without poisoning it',
    change: [forces(condition('free_gate_of', 'is_inside'), 'false')],
  },
  {
    name: 'poison-always',
    breaks: 'a death in an upgradable hold or in a drain poisons the lock',
    change: [forces(condition('free_gate_of', 'is_inside'), 'true')],
  },
  {
    name: 'never-begun-counts',
    breaks: 'a writer that died before its hold began, or after it ended, poisons the lock',
    change: [becomes(point('free_gate_load_token'), 'let _ = slot; true')],
  },
  {
    name: 'ended-counts',
    breaks: 'a writer that died between the end of its hold and the release of the gate poisons the lock',
    change: [skips(point('end_write'))],
  },
  {
    name: 'no-notice-by-a-check',
    breaks: 'a holder whose notice was lost with the process that gave it is not told by the next one',
    change: [skips(call('PeerCheck::check', 'notify_holders', 1))],
  },
  {
    name: 'stolen-by-the-dead',
    breaks: 'a holder gives up for a stealer that has died, and the lock stays as that left it',
    change: [forces(condition('is_stolen_by_other', 'recover'), 'false')],
  },
  {
    name: 'no-repair-of-reads',
    breaks: 'the read hold of a dead process stays',
    change: [forces(guard('repair_reads'), 'false')],
  },
  {
    name: 'no-repair-of-queued',
    breaks: 'the request of a dead waiter stays in the queue',
    change: [forces(guard('repair_queued'), 'false')],
  },
  {
    name: 'no-repair-of-draining',
    breaks: 'the gate of a writer that died while it drained stays taken',
    change: [
      replaces(
        'free_gate_of',
        '!$gate.is_owned_by($index)',
        '$gate.hold() == Some(Hold::Draining) || !$gate.is_owned_by($index)',
      ),
    ],
  },
  {
    name: 'no-repair-for-drainer',
    breaks: 'no process checks whether the readers that a sleeping writer waits for are alive',
    change: [omits('PeerCheck::check', 'handle_blocker'), omits('check_ahead', 'handle_blocker', 1)],
  },
  {
    name: 'waiter-never-skipped',
    breaks: 'all waiters wait for a stopped waiter',
    change: [
      replaces(
        'still_awaited',
        '$since + (SKIP_GRACE << $count)',
        'if matches!(turn, Turn::Queued { .. }) { u64::MAX } else { $since + (SKIP_GRACE << $count) }',
      ),
    ],
  },
  {
    name: 'drainer-never-skipped',
    breaks: 'all waiters wait for a stopped writer that does not write yet',
    change: [
      replaces(
        'still_awaited',
        '$since + (SKIP_GRACE << $count)',
        'if matches!(turn, Turn::Drained { .. }) { u64::MAX } else { $since + (SKIP_GRACE << $count) }',
      ),
    ],
  },
  {
    name: 'token-stored-at-the-end',
    breaks: 'the last token is stored at the end of a hold: the token of a dead writer is given out again',
    change: [
      skips(point('last_token_store')),
      begins('end_write', 'self.gate().last_token.store(self.slot().token.load(Relaxed), Relaxed);'),
    ],
  },
  {
    name: 'failure-clears-poison',
    breaks: 'a write hold that failed clears the poison of an earlier death',
    change: [
      replaces('release_exclusive', 'HoldEnd::Consistent if', 'HoldEnd::Consistent | HoldEnd::Failed if'),
    ],
  },
  {
    name: 'died-slot-reused',
    breaks: 'the slot of the dead writer, which names it, is given to a new attachment',
    change: [forces(condition('#attach_died_load', 'died() !='), 'true')],
  },
  {
    name: 'no-generation',
    breaks:
      'a slot has the same reads word under its next owner: a late repair takes the hold of a live reader',
    change: [replaces('Attachment::attach', '.generation().wrapping_add(1)', '.generation()')],
  },
  {
    name: 'no-tag',
    breaks: 'the gate has the same word under its next owner: a late repair takes it from a live owner',
    change: [replaces('acquired', '.wrapping_add(1 << TAG_SHIFT)', '')],
  },
  {
    name: 'aborts-what-was-taken',
    breaks: 'an upgrader that was skipped loses its upgradable hold when it gives up the upgrade',
    change: [replaces('abort_drain', 'is_drained_by', 'is_owned_by')],
  },
  {
    name: 'high-water-too-low',
    breaks: 'a close lowers the high-water mark to zero and so hides the other attachments',
    change: [replaces('lower_high_water', '|$index| $index + 1', '|_| 0')],
  },
  {
    name: 'try-write-scans-once',
    breaks: 'a try to write checks for readers only before it takes the gate',
    change: [forces(condition('write_drained', 'has_other_readers'), 'false')],
  },
  {
    name: 'registered-unchecked',
    breaks: 'a reader that has set its bit does not check the gate again',
    change: [forces(condition('register_reader_while', 'open'), 'false')],
  },
  {
    name: 'downgraded-unregistered',
    breaks: 'a writer that downgrades to read does not set its bit, so no writer sees its hold',
    change: [forces(condition('downgrade_to_read', 'is_registered'), 'false')],
  },
  {
    name: 'death-forgotten',
    breaks: 'the last close removes a lock whose owner death was not reported yet',
    change: [replaces('is_clean', '&& $gate.died().is_none()', '')],
  },
  {
    name: 'magic-first',
    breaks: 'a lock looks valid before its memory is initialized',
    change: [before(point('create_header'), 'header.magic.store(MAGIC, Release);')],
  },
  {
    name: 'record-removed-first',
    breaks: 'the record is deleted before the shared memory that only it names',
    change: [
      replaces(
        'named::delete',
        'memory::unlink($id).and_then(|()| records::delete($record, segment.lock.file()))',
        'records::delete($record, segment.lock.file()).and_then(|()| memory::unlink($id))',
      ),
    ],
  },
  {
    name: 'memory-before-record',
    breaks: 'the shared memory is made before the record names it',
    change: [
      before(
        call('named::create', 'write'),
        'let memory = memory::create(&record.id, bytes).map_err(cannot)?;',
      ),
      replaces(
        'named::create',
        'memory::create(&record.id, bytes).map(Some).map_err(cannot)',
        'Ok(Some(memory))',
      ),
    ],
  },
  {
    name: 'left-over-kept',
    breaks: 'the shared memory of a dead creator stays',
    change: [becomes(call('unlink_memory_of', 'unlink'), 'Ok(drop(id)),')],
  },
  {
    name: 'attached-unchecked',
    breaks: 'an attachment does not check whether the lock is being removed',
    change: [returns('#veto_load', 'true')],
  },
  {
    name: 'removed-unchecked',
    breaks: 'a removal does not check whether the lock is in use',
    change: [skips(point('removal_probe'))],
  },
  {
    name: 'veto-not-stored',
    breaks: 'a removal succeeds although a process attached after its check',
    change: [forces(condition('#veto', 'next(0)'), 'true')],
  },
  {
    name: 'another-record-removed',
    breaks: 'a late deletion of a removed lock deletes the lock that was made anew',
    change: [forces(condition('unix::delete', 'st_ino'), 'false')],
  },
  {
    name: 'removed-lock-listed',
    breaks: 'a list shows a removed lock, although it was made anew meanwhile',
    change: [forces(condition('looked_at', 'is_removed'), 'false')],
  },
  {
    name: 'unpublished-taken',
    breaks: 'a sweep removes the unpublished record of a live creator',
    change: [replaces('remove_unpublished', '!$lock.try_lock(SETUP_BYTE).map_err($cannot)? ||', '')],
  },
  {
    name: 'value-in-place',
    breaks: 'the value is filled where the last one is: a death in between leaves a mixture',
    change: [replaces('Stamp::next', '.wrapping_add(1)', '.wrapping_add(2)')],
  },
  {
    name: 'value-unpublished',
    breaks: 'a value that was set is not visible',
    change: [skips(point('value_publish'))],
  },
  {
    name: 'admitted-not-completed',
    breaks: 'the hold of an admitted reader that is stopped is not counted',
    change: [omits('SharedState::admit', 'complete')],
  },
  {
    name: 'limited-reader-stays',
    breaks: 'a waiter that finds the limit reached does not check whether the readers are alive',
    change: [omits('check_ahead', 'handle_readers')],
  },
  {
    name: 'limit-not-checked',
    breaks: 'a reader is admitted although the limit is reached',
    change: [forces(condition('SharedState::admit', 'limit'), 'false')],
  },
  {
    name: 'limited-release-wakes-nobody',
    breaks: 'a reader that leaves does not wake the reader that waits for its hold',
    change: [omits('release_limited', 'wake_next')],
  },
]

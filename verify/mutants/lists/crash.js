// Each mutant breaks one rule of the lock: `npm run crash -- --mutants` must fail on it.

/** @type {import('../run.js').Mutant[]} */
export const MUTANTS = [
  {
    name: 'poison-never',
    breaks: "a dead writer's gate is freed without a word",
    file: 'protocol/recovery.rs',
    change: [['gate.hold() == Some(Hold::Writing) && self.is_inside(index)', 'false']],
  },
  {
    name: 'poison-always',
    breaks: 'who dies upgradable or draining is told of as a writer',
    file: 'protocol/recovery.rs',
    change: [['gate.hold() == Some(Hold::Writing) && self.is_inside(index)', 'true']],
  },
  {
    name: 'never-begun-counts',
    breaks: 'who dies writing is told of also when its hold had not begun, or had ended',
    file: 'protocol/recovery.rs',
    change: [
      [
        'self.state.slots()[slot].token.load(Relaxed) == self.state.gate().last_token.load(Relaxed)',
        'let _ = slot;\n        true',
      ],
    ],
  },
  {
    name: 'ended-counts',
    breaks: 'who dies after the end of its hold, and before the gate is free, is told of',
    file: 'attachment/exclusive.rs',
    change: [['        self.slot().token.store(0, Relaxed);\n', '']],
  },
  {
    name: 'no-repair-of-reads',
    breaks: "a dead reader's hold stays",
    file: 'protocol/recovery.rs',
    change: [['if reads.count() != 0 {\n', 'if false {\n']],
  },
  {
    name: 'no-repair-of-queued',
    breaks: "a dead waiter's place in the queue stays",
    file: 'protocol/recovery.rs',
    change: [['if queued != Queued::NONE {\n', 'if false {\n']],
  },
  {
    name: 'no-repair-of-draining',
    breaks: 'the gate of who died while it drained stays',
    file: 'protocol/recovery.rs',
    change: [
      [
        'if !gate.is_owned_by(index) ||',
        'if gate.hold() == Some(Hold::Draining) || !gate.is_owned_by(index) ||',
      ],
    ],
  },
  {
    name: 'no-repair-beside-drainer',
    breaks: 'nobody looks whether the readers that a sleeping writer waits for still live',
    file: 'monitor/peer_check.rs',
    change: [
      [
        'self.handle_blocker(reader, &mut before);\n                            false',
        'let _ = reader;\n                            false',
      ],
      ['self.handle_blocker(reader, before); // in case', 'let _ = reader; // in case'],
    ],
  },
  {
    name: 'waiter-never-passed',
    breaks: 'everybody waits for a stopped waiter',
    file: 'monitor/peer_check.rs',
    change: [
      [
        'let until = since + (SKIP_GRACE << skip_count);',
        'let until = if matches!(turn, Turn::Queued { .. }) { u64::MAX } else { since + (SKIP_GRACE << skip_count) };',
      ],
    ],
  },
  {
    name: 'drainer-never-passed',
    breaks: 'everybody waits for a stopped writer that does not write yet',
    file: 'monitor/peer_check.rs',
    change: [
      [
        'let until = since + (SKIP_GRACE << skip_count);',
        'let until = if matches!(turn, Turn::Drained { .. }) { u64::MAX } else { since + (SKIP_GRACE << skip_count) };',
      ],
    ],
  },
  {
    name: 'token-stored-at-the-end',
    breaks: "the token is noted at the release: a dead writer's is handed out again",
    file: 'attachment/exclusive.rs',
    change: [
      ['        self.gate().last_token.store(token, Relaxed);\n', ''],
      [
        'else { return Ok(()) };\n        match mode',
        'else { return Ok(()) };\n        if mode == Mode::Write { self.gate().last_token.store(self.slot().token.load(Relaxed), Relaxed); }\n        match mode',
      ],
    ],
  },
  {
    name: 'failure-heals',
    breaks: 'a write hold that failed settles the death before it',
    file: 'attachment/exclusive.rs',
    change: [['HoldEnd::Consistent if mode', 'HoldEnd::Consistent | HoldEnd::Failed if mode']],
  },
  {
    name: 'died-slot-reused',
    breaks: 'the slot that says who died is given to the next',
    file: 'shm/claim.rs',
    change: [
      ['if segment.load_gate().died() != Some(index) {\n            return', 'if true {\n            return'],
    ],
  },
  {
    name: 'no-generation',
    breaks:
      'a slot looks the same in the hands of the next: a late repair takes away a read hold of the living',
    file: 'attachment/lifecycle.rs',
    change: [['.generation().wrapping_add(1)', '.generation()']],
  },
  {
    name: 'no-tag',
    breaks: 'the gate looks the same in the hands of the next: a late repair takes it from the living',
    file: 'protocol/gate.rs',
    change: [['.wrapping_add(1 << TAG_SHIFT)', '.wrapping_add(0)']],
  },
  {
    name: 'gives-back-what-is-not-its',
    breaks: 'an upgrader that was passed over gives up its upgradable hold when it gives up upgrading',
    file: 'attachment/exclusive.rs',
    change: [['(|gate| gate.is_drained_by(self.index));', '(|gate| gate.is_owned_by(self.index));']],
  },
  {
    name: 'tidy-too-low',
    breaks: 'who closes hides the others: the high-water mark falls to zero',
    file: 'protocol/state.rs',
    change: [['.map_or(0, |index| index + 1)', '.map_or(0, |_| 0)']],
  },
  {
    name: 'try-write-scans-once',
    breaks: 'a try to write takes the gate and looks for readers only before',
    file: 'attachment/exclusive.rs',
    change: [
      [
        'fn write_drained(&self) -> bool {\n        if self.has_other_readers() {\n            self.abort_claim();\n            return false;\n        }\n',
        'fn write_drained(&self) -> bool {\n',
      ],
    ],
  },
  {
    name: 'listed-unseen',
    breaks: 'who has listed itself to read does not look at the gate again',
    file: 'attachment/read.rs',
    change: [
      [
        '            if !open(gate) {\n                return false;\n            }\n            crash_point!(register_gate);',
        '            if !open(Gate(0)) {\n                return false;\n            }\n            crash_point!(register_gate);',
      ],
    ],
  },
  {
    name: 'downgraded-unlisted',
    breaks: 'who reads after it wrote is not listed, and no writer looks at it',
    file: 'attachment/convert.rs',
    change: [
      [
        '            if !self.is_registered() {\n                self.register_reader();\n            }\n',
        '',
      ],
    ],
  },
  {
    name: 'death-forgotten',
    breaks: 'the last to leave removes a lock whose death is still to be told',
    file: 'protocol/state.rs',
    change: [['gate.is_free() && gate.died().is_none()', 'gate.is_free()']],
  },
  {
    name: 'magic-first',
    breaks: 'a lock looks valid before it is laid out',
    file: 'shm/segment.rs',
    change: [
      [
        '        crash_point!(create_header);\n',
        '        header.magic.store(MAGIC, Release);\n        crash_point!(create_header);\n',
      ],
    ],
  },
  {
    name: 'record-removed-first',
    breaks: 'the record goes before the memory that only it knows of',
    file: 'shm/named.rs',
    change: [
      [
        'memory::unlink(id).and_then(|()| records::delete(record, segment.lock.file()))',
        'records::delete(record, segment.lock.file()).and_then(|()| memory::unlink(id))',
      ],
    ],
  },
  {
    name: 'memory-before-record',
    breaks: 'memory is made before the record says so',
    file: 'shm/named.rs',
    change: [
      [
        '        record.write(lock.file()).map_err(|error| cannot(("write", error)))?;\n        memory::create(&record.id, bytes).map(Some).map_err(cannot)',
        '        let memory = memory::create(&record.id, bytes).map_err(cannot)?;\n        record.write(lock.file()).map_err(|error| cannot(("write", error)))?;\n        Ok(Some(memory))',
      ],
    ],
  },
  {
    name: 'left-over-kept',
    breaks: "a dead creator's memory is not removed",
    file: 'shm/sweep.rs',
    change: [['=> memory::unlink(&id),', '=> Ok(drop(id)),']],
  },
  {
    name: 'attached-unseen',
    breaks: 'who attaches does not look whether the lock is being removed',
    file: 'shm/claim.rs',
    change: [['removal::veto(segment) && is_in_place(segment)?', 'self.is_in_place()?']],
  },
  {
    name: 'removed-unasked',
    breaks: 'who removes a lock does not ask whether anybody is attached',
    file: 'shm/removal.rs',
    change: [['if segment.lock.is_in_use()? {', 'if false {']],
  },
  {
    name: 'veto-ignored',
    breaks: 'who removes a lock does so though somebody has attached since it asked',
    file: 'shm/removal.rs',
    change: [
      [
        'swap(segment, proposed, proposed.next(COMMITTED))',
        'swap(segment, load(segment), proposed.next(COMMITTED))',
      ],
    ],
  },
  {
    name: 'another-record-removed',
    breaks: 'who deletes a removed lock late deletes the one that was made anew since',
    file: 'shm/records/unix.rs',
    change: [
      [
        '        if (there.st_dev as u64, there.st_ino as u64) != (own.dev(), own.ino()) {',
        '        if own.nlink() > 9 {',
      ],
    ],
  },
  {
    name: 'unpublished-taken',
    breaks: 'who tidies up takes the unpublished record of a maker that lives',
    file: 'shm/sweep.rs',
    change: [['if !lock.try_lock(SETUP_BYTE).map_err(cannot)? || ', 'if ']],
  },
]

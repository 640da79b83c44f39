// Ways to break the lock that `npm run fuzz -- --mutants` must find.

/** @type {(import('../run.js').Mutant & { target: string })[]} */
export const MUTANTS = [
  {
    name: 'the high-water mark is believed',
    target: 'open',
    file: 'protocol/state.rs',
    change: [['.min(slots.len())', '']],
  },
  {
    name: 'the listing is believed',
    target: 'open',
    file: 'protocol/reader_bitmap.rs',
    change: [
      [
        'self.state.slots().get(slot).is_some_and(|slot| Reads(slot.reads.load(SeqCst)).count() != 0)',
        'Reads(self.slots()[slot].reads.load(SeqCst)).count() != 0',
      ],
    ],
  },
  {
    name: "the gate's owner is believed",
    target: 'open',
    file: 'protocol/state.rs',
    change: [['Some(_) if gate.owner() < self.slots().len() =>', 'Some(_) =>']],
  },
  {
    name: 'the length of the memory is not compared with its capacity',
    target: 'open',
    file: 'shm/segment.rs',
    change: [['!backing.fits(expected) || said', 'said']],
  },
  {
    name: 'a wait sleeps only on a word that is zero',
    target: 'open',
    file: 'attachment/block.rs',
    change: [
      [
        'wake::wait_for_news(&self.slot().waiting.wake, until)',
        'park::wait(&self.slot().waiting.wake, park::IDLE, until)',
      ],
    ],
  },
  {
    name: 'the watcher leaves what nobody should have written in a wake word',
    target: 'open',
    file: 'protocol/wake.rs',
    change: [['word.news.fetch_and(WOKEN, SeqCst)', 'word.news.fetch_and(!INTERRUPTED, SeqCst)']],
  },
  {
    name: 'nobody asks whether the gate names himself',
    target: 'open',
    file: 'attachment/requests.rs',
    change: [['if ours { Ok(()) }', 'if true { Ok(()) }']],
  },
  {
    name: "a read that is taken back wakes one's own writer",
    target: 'running',
    file: 'attachment/read.rs',
    change: [
      [
        'if !gate.is_owned_by(self.index) {\n            self.segment.queue().wake_writer',
        'if true {\n            self.segment.queue().wake_writer',
      ],
    ],
  },
  {
    name: "a damaged lock's token is remembered for all",
    target: 'named',
    file: 'shm/token_floor.rs',
    change: [['.max(plausible(token, now))', '.max(token)']],
  },
]

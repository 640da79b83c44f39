// Ways to break the lock that `npm run fuzz -- --mutations` must find. Each replaces one place of crates/rwlock/src.

/** @type {(import('../scripts/mutate.js').Mutation & { target: string })[]} */
export const MUTATIONS = [
  {
    name: 'the high-water mark is believed',
    target: 'open',
    file: 'queue.rs',
    from: '.min(slots.len())',
    to: '',
  },
  {
    name: "the gate's owner is believed",
    target: 'open',
    file: 'queue.rs',
    from: 'Some(_) if gate.owner() < self.slots().len() =>',
    to: 'Some(_) =>',
  },
  {
    name: 'the length of the memory is not compared with its capacity',
    target: 'open',
    file: 'segment/mod.rs',
    from: 'length != expected || said',
    to: 'said',
  },
  {
    name: 'a wait sleeps only on a word that is zero',
    target: 'open',
    file: 'wait.rs',
    from: 'park::wait_for_news(&self.slot().waiting.wake, until)',
    to: 'park::wait(&self.slot().waiting.wake, park::IDLE, until)',
  },
  {
    name: 'the watcher leaves what nobody should have written in a wake word',
    target: 'open',
    file: 'park/mod.rs',
    from: 'word.fetch_and(WOKEN, SeqCst)',
    to: 'word.fetch_and(!POKED, SeqCst)',
  },
  {
    name: 'nobody asks whether the gate names himself',
    target: 'open',
    file: 'wait.rs',
    from: 'if ours { Ok(()) }',
    to: 'if true { Ok(()) }',
  },
  {
    name: "a read that is taken back wakes one's own writer",
    target: 'running',
    file: 'attachment.rs',
    from: 'if !gate.is_owned_by(self.index) {\n            self.segment.wake_writer',
    to: 'if true {\n            self.segment.wake_writer',
  },
  {
    name: "a damaged lock's token is remembered for all",
    target: 'named',
    file: 'segment/fence.rs',
    from: '.max(sane(token, now))',
    to: '.max(token)',
  },
]

//! What the dead leave behind, and those who do not come when it is their turn.
//!
//! Recovery is lock-free and idempotent; any thread may do it at any time. It repairs single words, in this order: read
//! the word, *then* ask the kernel whether its owner lives, *then* compare-and-swap that same word. Generation and tag
//! make a slot that changed hands in between visible.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU64, AtomicUsize};

use crate::protocol::gate::{Gate, Hold};
use crate::protocol::slot::{Mode, Queued, Reads};
use crate::shm::Segment;
use crate::sys::activity::Activity;
use crate::sys::byte_lock::slot_byte;
use crate::sys::exit_watch::{self, ExitNotice};
use crate::sys::park;

/// Looks after dead peers come this often at first, and ever less often: a probe costs about a microsecond.
pub(crate) const FIRST_CHECK: u64 = 1_000_000;
const LAST_CHECK: u64 = 10_000_000;
/// Where the kernel tells of deaths: then the looks are for who does not come, and for lost wakes.
const LAST_CHECK_IF_NOTIFIED: u64 = 20_000_000;
/// Deaths that one waiter wants to be told of: the owner's, that of a reader he waits for, that of who is ahead in the queue.
const MAX_EXIT_NOTICES: usize = 3;
/// Looks until the kernel is asked although it will tell. (To ask is most of what a look costs.)
const CHECKS_TO_PROBE: u32 = 16;
/// How long the lock may stay free for somebody who does not come, before the next one goes. Doubled each time it
/// happens to the same waiter, so that a slow one gets its turn in the end.
const SKIP_GRACE: u64 = 5_000_000;
/// Of the dead that are in the way of one request, so many are seen to at one look: each costs a scan of the queue. The next
/// look follows soon.
pub(crate) const MAX_REPAIRS: usize = 64;
/// Of those who are not known to be in the way a failing try probes so many, in turn.
const PROBES_OF_TRY: usize = 4;
/// And of so many slots it looks whether they hold or wait for anything.
const SLOTS_OF_TRY: usize = 256;
/// Of fewer than these an inspection probes each. Where there are more the kernel, which keeps the byte locks of a file in a
/// list, would take a time that grows with their square: it is asked about each process once, and these besides, in turn.
const PROBES_OF_INSPECTION: usize = 64;
/// How long a gate may say that somebody holds it who does not know, while none of his threads does anything. A hold begins
/// and ends within a few instructions.
const PHANTOM_LIMIT: u64 = 1_000_000_000;
/// And where it is not known what his threads do, or one of them is busy.
const PHANTOM_LIMIT_UNSEEN: u64 = 10_000_000_000;
/// So that the patience stays below a second.
const MAX_SKIPS: u32 = 7;

impl Segment {
    /// Whether the attachment in `slot` lives. Asks about other open files only: never about the caller's own slot.
    pub fn is_alive(&self, slot: usize) -> bool {
        crash_point!(probe);
        // If the kernel does not answer, nobody is declared dead.
        self.lock.is_locked(slot_byte(slot), 1).unwrap_or(true)
    }

    /// Repairs what `slot` left behind if its owner died. Returns whether there was anything.
    pub fn recover(&self, slot: usize) -> bool {
        self.repair(slot, || !self.is_alive(slot))
    }

    /// Repairs everything that anybody but `me` left behind.
    pub fn recover_all(&self, me: usize) -> bool {
        let mut repaired = false;
        for slot in (0..self.used_slots().len()).filter(|&slot| slot != me) {
            repaired |= self.recover(slot);
        }
        repaired
    }

    /// Repairs what the next few slots left behind, and says which are the next ones after these.
    pub fn recover_some(&self, me: usize, from: usize) -> (bool, usize) {
        let slots = self.used_slots().len();
        let (mut repaired, mut probes, mut slot) = (false, 0, from);
        for _ in 0..slots.min(SLOTS_OF_TRY) {
            slot = if slot < slots { slot } else { 0 };
            if slot != me && self.leaves_something(slot) {
                repaired |= self.recover(slot);
                probes += 1;
            }
            slot += 1;
            if probes == PROBES_OF_TRY {
                break;
            }
        }
        (repaired, slot)
    }

    /// Repairs what the dead other than `me` left behind, so that nobody takes them for holders or waiters. Among many of one
    /// process some may be found later that ended and left it running.
    pub fn recover_for_inspection(&self, me: usize) {
        let slots = self.used_slots().len();
        let shown: Vec<usize> = (0..slots).filter(|&slot| slot != me && self.leaves_something(slot)).collect();
        if shown.len() <= PROBES_OF_INSPECTION {
            shown.iter().for_each(|&slot| _ = self.recover(slot));
            return;
        }
        static TURN: AtomicUsize = AtomicUsize::new(0);
        let turn = TURN.fetch_add(PROBES_OF_INSPECTION, Relaxed) % shown.len();
        let mut ended: BTreeMap<(u32, u32), Option<bool>> = BTreeMap::new();
        for (place, &slot) in shown.iter().enumerate() {
            let waiting = &self.slots()[slot].waiting;
            let process = (waiting.pid.load(Relaxed), waiting.namespace.load(Relaxed));
            let lives = *ended.entry(process).or_insert_with(|| exit_watch::has_owner_ended(self, slot)) == Some(false);
            let in_turn = (place + shown.len() - turn) % shown.len() < PROBES_OF_INSPECTION;
            if !lives || in_turn {
                self.recover(slot);
            }
        }
    }

    fn leaves_something(&self, slot: usize) -> bool {
        let words = &self.slots()[slot];
        crash_point!(leftover_load);
        words.reads.load(Relaxed) as u32 != 0
            || words.waiting.queued.load(Relaxed) != 0
            || self.load_gate().is_owned_by(slot)
    }

    /// The process in `slot` is said to have died. It may have been about to wake somebody, whatever it held.
    #[cfg_attr(any(loom, miri), expect(dead_code, reason = "nobody tells"))]
    pub fn on_peer_exit(&self, slot: usize) {
        if !self.recover(slot) {
            self.wake_next(None);
            crash_point!(exit_wake_load);
            self.wake_writer(self.load_gate());
        }
    }

    /// As [`Segment::recover`], with another proof that the owner is gone.
    pub fn repair(&self, index: usize, is_dead: impl Fn() -> bool) -> bool {
        let slot = &self.slots()[index];
        crash_point!(repair_load_queued);
        let queued = Queued(slot.waiting.queued.load(SeqCst));
        crash_point!(repair_load_reads);
        let reads = Reads(slot.reads.load(SeqCst));
        crash_point!(repair_load_gate);
        if queued == Queued::NONE && reads.count() == 0 && !self.load_gate().is_owned_by(index) {
            return false;
        }
        if !is_dead() {
            return false;
        }
        if queued != Queued::NONE {
            crash_point!(repair_queued);
            let _ = slot.waiting.queued.compare_exchange(queued.0, Queued::NONE.0, SeqCst, SeqCst);
        }
        if reads.count() != 0 {
            let none = Reads::new(reads.generation(), 0);
            crash_point!(repair_reads);
            let _ = slot.reads.compare_exchange(reads.0, none.0, SeqCst, SeqCst);
        }
        self.free_gate_of(index, is_dead);
        self.wake_next(None);
        crash_point!(repair_wake_load);
        self.wake_writer(self.load_gate());
        true
    }

    /// Whether the writer in `slot`, which is dead, died inside its hold: after [`crate::Attachment::begin_write`], and before its
    /// release.
    fn is_inside(&self, slot: usize) -> bool {
        crash_point!(free_gate_load_token);
        self.slots()[slot].token.load(Relaxed) == self.gate().last_token.load(Relaxed)
    }

    /// The owner of the gate that says what he does not know: his hold has not begun, or has ended, or never was.
    fn phantom_owner(&self, gate: Gate) -> Option<usize> {
        let slot = self.slots().get(gate.owner())?;
        crash_point!(owner_knows_load);
        let knows = match gate.hold()? {
            Hold::Writing => slot.token.load(Relaxed) == self.gate().last_token.load(Relaxed),
            Hold::Upgradable => slot.waiting.upgradable.load(Relaxed) != 0,
            // Nobody waits for these without limit.
            Hold::Free | Hold::Draining | Hold::Upgrading => true,
        };
        (!knows).then_some(gate.owner())
    }

    /// Whether the one in `slot`, if it drains, would not wait for the readers inside.
    fn is_in_try(&self, slot: usize) -> bool {
        crash_point!(skip_load_in_try);
        self.slots().get(slot).is_some_and(|slot| slot.waiting.in_try.load(Relaxed) != 0)
    }

    fn free_gate_of(&self, index: usize, is_dead: impl Fn() -> bool) {
        // Others change the gate of a dead owner when they join the queue, each once: should that never end it is damage.
        for _ in 0..=self.slots().len() + MAX_REPAIRS {
            crash_point!(free_gate_load);
            let gate = self.load_gate();
            if !gate.is_owned_by(index) || !is_dead() {
                return;
            }
            let freed = if gate.hold() == Some(Hold::Writing) && self.is_inside(index) {
                gate.freed().poisoned_by(index)
            } else {
                gate.freed()
            };
            crash_point!(free_gate);
            if self.swap_gate(gate, freed) {
                return;
            }
        }
    }
}

/// What a sleeper does when nobody wakes it: looks whether what it waits for can still come.
///
/// It knows its slot's request from the shared memory, so it may run on another thread than the attachment's.
pub(crate) struct PeerCheck {
    segment: Arc<Segment>,
    slot: usize,
    interval: u64,
    /// When to look next.
    pub next: u64,
    /// What has been somebody's turn without him coming, and since when.
    awaited: Option<(Turn, u64)>,
    looks: u32,
    /// Of the deaths of those in the way at the last look. None while a wait is short: most are.
    exit_notices: Vec<ExitNotice>,
    /// The tenure of a gate whose owner does not know of it, and since when.
    unknown: Option<(u64, u64)>,
    damage: Arc<Damage>,
}

/// What an attachment's vigils have found out: the tenure of a gate that nobody holds, although it says so.
struct Damage(AtomicU64);

/// No gate that is held has this tenure.
const NO_TENURE: u64 = 0;

/// The lock is there for somebody to take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The gate is free for him, who is ahead in the queue.
    Queued { slot: usize, request: Queued, tenure: u64 },
    /// The gate is his, and the readers he waited for have left; or he only tries, and does not wait for them.
    Drained { slot: usize, tenure: u64 },
}

impl PeerCheck {
    pub fn new(segment: Arc<Segment>, slot: usize) -> Self {
        Self::with(segment, slot, Arc::new(Damage(AtomicU64::new(NO_TENURE))))
    }

    /// Another vigil for the same attachment.
    pub fn another(&self) -> Self {
        Self::with(self.segment.clone(), self.slot, self.damage.clone())
    }

    fn with(segment: Arc<Segment>, slot: usize, damage: Arc<Damage>) -> Self {
        Self {
            segment,
            slot,
            interval: FIRST_CHECK,
            next: u64::MAX,
            awaited: None,
            looks: 0,
            exit_notices: Vec::new(),
            unknown: None,
            damage,
        }
    }

    /// Whether one of this attachment's vigils has found that nobody holds the gate, although it says so.
    pub fn has_found_damage(&self, gate: Gate) -> bool {
        gate.tenure() == self.damage.0.load(Relaxed) && self.segment.phantom_owner(gate).is_some()
    }

    /// Finds out whether nobody holds the gate, although it says that somebody else does. Whoever is stopped where his hold
    /// begins or ends is given the time he needs.
    fn is_phantom_hold(&mut self, gate: Gate, now: u64) -> bool {
        let owner = self.segment.phantom_owner(gate).filter(|&owner| owner != self.slot);
        let (Some(owner), tenure) = (owner, gate.tenure()) else {
            self.unknown = None;
            return false;
        };
        let since = match self.unknown {
            Some((known, since)) if known == tenure => since,
            _ => now,
        };
        self.unknown = Some((tenure, since));
        let lasted = now.saturating_sub(since);
        if lasted < PHANTOM_LIMIT {
            return false;
        }
        let is_damage = match exit_watch::activity_of_owner(&self.segment, owner) {
            Activity::Asleep => true,
            Activity::Running | Activity::Unknown => lasted >= PHANTOM_LIMIT_UNSEEN,
            Activity::Stopped => {
                self.unknown = None;
                false
            }
        };
        // He may have gone on while he was looked at.
        let is_damage = is_damage && {
            crash_point!(owner_knows_load);
            let gate = self.segment.load_gate();
            gate.tenure() == tenure && self.segment.phantom_owner(gate).is_some()
        };
        if is_damage {
            self.damage.0.store(tenure, Relaxed);
        }
        is_damage
    }

    /// A wait begins, or goes on after news. Returns when to look first.
    pub fn begin(&mut self, now: u64) -> u64 {
        self.interval = FIRST_CHECK;
        self.next = now + self.interval;
        self.next
    }

    /// Nobody waits any more.
    pub fn end(&mut self) {
        self.exit_notices = Vec::new();
    }

    /// `slot` is in the way: repairs what it left behind if it is dead. Returns whether there was anything. Else its death
    /// shall be told, unless that was asked for `before`: then it need not be asked for at every look.
    fn handle_blocker(&mut self, slot: usize, before: &mut Option<Vec<ExitNotice>>) -> bool {
        if let Some(before) = before
            && self.exit_notices.len() < MAX_EXIT_NOTICES
        {
            if let Some(place) = before.iter().position(|exit_notice| exit_notice.is_of(&self.segment, slot)) {
                let exit_notice = before.swap_remove(place);
                let is_sure = exit_notice.is_sure;
                self.exit_notices.push(exit_notice);
                if is_sure && !self.looks.is_multiple_of(CHECKS_TO_PROBE) {
                    return false;
                }
            } else {
                // Before the probe, which finds who has died meanwhile.
                self.exit_notices.extend(ExitNotice::of(&self.segment, slot));
            }
        }
        self.segment.recover(slot)
    }

    /// Looks once; wakes the sleeper if there is something for it to do. `share` stretches the pause between looks, for
    /// who keeps many vigils.
    pub fn check(&mut self, now: u64, share: u64) {
        let is_notified =
            !self.exit_notices.is_empty() && self.exit_notices.iter().all(|exit_notice| exit_notice.is_sure);
        let mut before = (self.interval > FIRST_CHECK).then(|| std::mem::take(&mut self.exit_notices));
        self.looks = self.looks.wrapping_add(1);
        let longest = if is_notified { LAST_CHECK_IF_NOTIFIED } else { LAST_CHECK };
        self.interval = (self.interval * 2).min(longest * share);
        // On multiples, so that one sleep serves all the vigils of a thread.
        self.next = (now / self.interval + 1) * self.interval;
        let segment = self.segment.clone();
        let own = &segment.slots()[self.slot].waiting;
        crash_point!(check_gate);
        let gate = segment.load_gate();
        let news = match segment.gate_owner(gate) {
            Err(_) => true, // to be told so
            Ok(Some(owner)) if owner == self.slot => {
                if gate.is_drained_by(owner) {
                    match segment.find_other_reader(owner) {
                        Some(reader) => {
                            self.handle_blocker(reader, &mut before);
                            false
                        }
                        None => true,
                    }
                } else {
                    // An upgrader that was passed over, by somebody who stopped before he said so. Or damage, to be told so.
                    gate.hold() == Some(Hold::Upgradable) || segment.phantom_owner(gate).is_some()
                }
            }
            Ok(_) => {
                crash_point!(check_queued);
                let queued = Queued(own.queued.load(SeqCst));
                // Neither the gate nor a place in the queue: who took them away died before he said so, or it was damage.
                queued.mode().is_none_or(|mode| self.check_ahead(mode, Some(queued.ticket()), now, &mut before))
            }
        };
        if news {
            park::wake(own);
        }
    }

    /// Looks who is in the way of a request that comes after all others: repairs what the dead left, goes past who does not
    /// come. Returns whether it is worth a try now.
    pub fn check_for(&mut self, mode: Mode, now: u64) -> bool {
        self.check_ahead(mode, None, now, &mut None)
    }

    fn check_ahead(&mut self, mode: Mode, ticket: Option<u64>, now: u64, before: &mut Option<Vec<ExitNotice>>) -> bool {
        let segment = self.segment.clone();
        crash_point!(blocker_load);
        let gate = segment.load_gate();
        match segment.gate_owner(gate) {
            Ok(Some(owner)) if owner != self.slot => {
                if !self.handle_blocker(owner, before) && self.is_phantom_hold(gate, now) {
                    return true; // to be told so
                }
            }
            Ok(_) => {}
            Err(_) => return true, // likewise
        }
        if gate.is_drained_by(gate.owner())
            && let Some(reader) = segment.find_other_reader(self.slot)
        {
            self.handle_blocker(reader, before); // in case the one who drains cannot
        }
        let mut ahead = segment.ahead_of(self.slot, mode, ticket);
        // No more often than there are slots, whoever else writes there.
        let mut left = segment.slots().len().min(MAX_REPAIRS);
        while let Some((slot, _)) = ahead
            && self.handle_blocker(slot, before)
        {
            if left == 0 {
                self.next = self.next.min(now + FIRST_CHECK);
                break;
            }
            left -= 1;
            ahead = segment.ahead_of(self.slot, mode, ticket);
        }
        crash_point!(turn_load);
        let gate = segment.load_gate();
        let free_for = |mode| if mode == Mode::Read { !gate.excludes_readers() } else { gate.is_free() };
        let turn = match ahead {
            None if free_for(mode) => {
                self.awaited = None;
                return true;
            }
            Some((slot, request)) if free_for(mode) && request.mode().is_some_and(free_for) => {
                Some(Turn::Queued { slot, request, tenure: gate.tenure() })
            }
            _ if gate.is_drained_by(gate.owner())
                && gate.owner() != self.slot
                && (segment.is_in_try(gate.owner()) || segment.find_other_reader(usize::MAX).is_none()) =>
            {
                Some(Turn::Drained { slot: gate.owner(), tenure: gate.tenure() })
            }
            _ => None,
        };
        self.awaited = turn.and_then(|turn| self.still_awaited(turn, now));
        false
    }

    /// It is somebody's turn. If it has been so for longer than the patience due to him, go past him.
    fn still_awaited(&mut self, turn: Turn, now: u64) -> Option<(Turn, u64)> {
        let since = match self.awaited {
            Some((known, since)) if known == turn => since,
            _ => now,
        };
        let slots = self.segment.slots();
        let skip_count = match turn {
            Turn::Queued { request, .. } => request.skip_count(),
            Turn::Drained { slot, .. } => {
                crash_point!(skip_load_count);
                slots.get(slot)?.waiting.skip_count.load(Relaxed).min(MAX_SKIPS)
            }
        };
        let until = since + (SKIP_GRACE << skip_count);
        if now < until {
            self.next = self.next.min(until);
            return Some((turn, since));
        }
        match turn {
            Turn::Queued { slot, request, .. } => {
                let word = &slots[slot].waiting;
                crash_point!(skip_queued);
                if word.queued.compare_exchange(request.0, request.skipped().0, SeqCst, SeqCst).is_ok() {
                    // After the mark, so that he finds it: then he takes his place back.
                    park::wake(word);
                    self.segment.wake_next(None);
                }
            }
            Turn::Drained { slot, tenure } => {
                crash_point!(skip_load);
                let gate = self.segment.load_gate();
                crash_point!(skip_drain);
                // Should he come just now, his own step from draining to writing makes this fail, or this his.
                if gate.tenure() == tenure && self.segment.swap_gate(gate, gate.with_drain_aborted()) {
                    crash_point!(skip_count);
                    slots[slot].waiting.skip_count.store(skip_count + 1, Relaxed);
                    park::wake(&slots[slot].waiting);
                    self.segment.wake_next(None);
                }
            }
        }
        None
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::attachment::requests::WaitOptions;
    use crate::attachment::{Attachment, LockRef, Options};

    const BOUND: Duration = Duration::from_secs(20);

    /// Three attachments, of which the last is dead, and somebody who writes something `anew`, all the time, while `act` goes on.
    fn beside_a_scribbler(
        name: &str,
        anew: impl Fn(&Segment) + Send + 'static,
        act: impl FnOnce(&Attachment) + Send + 'static,
    ) {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let (own, other, dead) = (open(), open(), open());
        dead.segment.lock.unlock(slot_byte(dead.index)).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let (told, segment) = (ends.clone(), own.segment.clone());
        let scribbler = thread::spawn(move || {
            while !told.load(SeqCst) {
                anew(&segment);
            }
        });
        let (done, is_done) = mpsc::channel();
        let acts = thread::spawn(move || {
            act(&own);
            let _ = done.send(());
            own
        });
        let in_time = is_done.recv_timeout(BOUND).is_ok();
        ends.store(true, SeqCst);
        scribbler.join().unwrap();
        let _ = acts.join();
        drop((other, dead));
        std::fs::remove_file(&path).unwrap();
        assert!(in_time, "it goes on for as long as somebody writes");
    }

    #[test]
    fn a_look_ends_though_somebody_writes_a_dead_ones_request_anew() {
        let publish = |segment: &Segment| {
            segment.slots()[2].waiting.queued.store(Queued::new(Mode::Write, 0, 0).0, SeqCst);
        };
        beside_a_scribbler("scribbled-queue", publish, |own| {
            for _ in 0..20 {
                own.peer_check().check_for(Mode::Write, park::now());
            }
        });
    }

    #[test]
    fn a_poll_ends_though_somebody_writes_its_own_request_anew() {
        let damage = |segment: &Segment| segment.slots()[0].waiting.queued.store(3 | 9 << 20, SeqCst);
        beside_a_scribbler("scribbled-request", damage, |own| {
            own.segment.change_gate(|gate| Some(gate.acquired(Hold::Writing, 1)));
            own.request(Mode::Write, WaitOptions { deadline: u64::MAX, fairness: 0 });
            for _ in 0..200 {
                own.poll(park::now()).unwrap();
            }
        });
    }

    #[test]
    fn a_wake_and_a_repair_end_though_somebody_writes_the_gate_anew() {
        let damage = |segment: &Segment| {
            segment.change_gate(|gate| Some(gate.acquired(Hold::Upgradable, 2).with_waiting()));
        };
        beside_a_scribbler("scribbled-gate", damage, |own| {
            for _ in 0..20 {
                own.segment.wake_next(None);
                own.segment.recover(2);
            }
        });
    }

    /// A slot that is not in the way of a try is repaired after some of them.
    #[test]
    fn tries_look_at_every_slot_in_turn() {
        let path = std::env::temp_dir().join(format!("in-turn-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let own = open();
        let readers: Vec<_> = (0..20).map(|_| open()).collect();
        assert!(readers.iter().all(Attachment::try_read));
        let last = readers.last().unwrap();
        last.segment.lock.unlock(slot_byte(last.index)).unwrap();
        let mut next = 0;
        let mut rounds = 0;
        let mut repaired = false;
        while !repaired && rounds < 10 {
            (repaired, next) = own.segment.recover_some(own.index, next);
            rounds += 1;
        }
        drop((readers, own));
        std::fs::remove_file(&path).unwrap();
        assert_eq!((repaired, rounds), (true, 5));
    }

    /// Of many of one process, which lives, the dead is found in turn.
    #[test]
    fn inspections_find_every_dead_one() {
        let path = std::env::temp_dir().join(format!("inspected-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let own = open();
        let readers: Vec<_> = (0..100).map(|_| open()).collect();
        assert!(readers.iter().all(Attachment::try_read));
        let dead = &readers[50];
        dead.segment.lock.unlock(slot_byte(dead.index)).unwrap();
        let holders: Vec<_> = (0..2).map(|_| own.inspect().holders.len()).collect();
        // Of another process, which has ended, all are found at once.
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        for reader in &readers[60..] {
            reader.slot().waiting.pid.store(child.id(), Relaxed);
            reader.segment.lock.unlock(slot_byte(reader.index)).unwrap();
        }
        let left = own.inspect().holders.len();
        drop((readers, own));
        std::fs::remove_file(&path).unwrap();
        assert_eq!((holders[1], left), (99, 59));
    }

    #[test]
    fn who_waits_is_served_in_order_when_the_number_of_tickets_wraps() {
        let path = std::env::temp_dir().join(format!("wrapping-tickets-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let holder = open();
        assert!(holder.try_write());
        holder.segment.tickets().next.store((1 << 44) - 2, SeqCst);
        let waiters: Vec<_> = (0..4).map(|_| open()).collect();
        let options = WaitOptions { deadline: u64::MAX, fairness: 0 };
        for waiter in &waiters {
            waiter.request(Mode::Write, options);
            waiter.poll(park::now()).unwrap();
        }
        let shown: Vec<_> = holder.segment.queue().map(|(slot, queued)| (slot, queued.ticket())).collect();
        holder.release_exclusive(crate::attachment::HoldEnd::Consistent).unwrap();
        let mut order = Vec::new();
        for _ in 0..4 {
            // In the wrong order: only whose turn it is gets it.
            for (place, waiter) in waiters.iter().enumerate().rev() {
                waiter.poll(park::now()).unwrap();
                if !waiter.take_settled().is_empty() {
                    order.push(place);
                    waiter.release_exclusive(crate::attachment::HoldEnd::Consistent).unwrap();
                }
            }
        }
        drop((waiters, holder));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(shown.iter().map(|(_, ticket)| *ticket).collect::<Vec<_>>(), [(1 << 44) - 2, (1 << 44) - 1, 0, 1]);
        assert_eq!(order, [0, 1, 2, 3]);
    }
}

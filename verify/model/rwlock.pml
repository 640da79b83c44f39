/*
 * The lock's protocol, access by access, for Spin. See README.md for what is modelled and what is not.
 *
 * Each transition makes one access to shared memory (or to the kernel's byte locks) that others can notice, with the
 * local work that follows it; a process may die between any two. `crash point: name` is the access's label in the code
 * (`crash_point!(name)`); labels.js compares the two. Functions have the names of the code.
 *
 * Checked: exclusion; an upgradable hold is never lost; the token grows; `poisoned` and `died` say what happened;
 * `closed` implies `waiting`, and both are cleared at the end; and, by the absence of invalid end states, that every live
 * process finishes. Without deaths no progress depends on a timer; with them timers fire at a standstill.
 */

/* ---- bounds, each set with -D -------------------------------------------------------------------------- */

#ifndef N
#define N 2                  /* attachments at the start, in slots 0 .. N-1 */
#endif
#ifndef SPARE
#define SPARE 0              /* 1: one additional slot, because a dead writer's slot is kept */
#endif
#ifndef BORN
#define BORN 0               /* processes that open the lock after another process left a slot */
#endif
#ifndef NOPS
#define NOPS 1               /* acquisitions of each process */
#endif
#ifndef KINDS
#define KINDS 0              /* what each process requests, one digit each from the right: 1 2 3 a Mode, 4 any, 0 R or W */
#endif
#ifndef ACTS
#define ACTS 0               /* what a holder may do in addition to a release: sum of the bits below */
#endif
#define IN_PLACE      1      /* read to write, try_upgrade */
#define NESTED        2      /* a second read */
#define UPGRADE       4
#define TRY_UPGRADE   8
#define U_TO_R       16
#define W_TO_R       32
#define W_TO_U       64
#define FAILED      128      /* releases a write hold without clearing the poison */
#define ABANDONED   256      /* closes inside a write hold, as if killed there */
#define SET         512      /* sets the value */
#define KEEPS      1024      /* keeps its hold until it is told that it keeps another process out */
#define YIELDS     2048      /* lets those go first that wait, and requests the lock again before it releases it */
#define ROBBED     4096      /* allows steals: keeps its hold until a steal wants it, or does something else meanwhile */
#ifndef MORE
#define MORE 1               /* how many of the ACTS per acquisition */
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef STOPS
#define STOPS 0              /* processes that stop for good while they wait */
#endif
#ifdef KEEPS_TURNS            /* a live process is not skipped because it does not come */
#define SKIPS false
#else
#define SKIPS true
#endif
#define MAY_SKIP       SKIPS  /* a request in the queue */
#define MAY_SKIP_DRAIN SKIPS  /* a writer that drains */
#ifndef CHECKS
#define CHECKS 0              /* peer checks, or checks of a failing try, that come at any time */
#endif
#ifndef LOOKS
#define LOOKS 0              /* how often a process without a hold reads the value */
#endif
#ifndef PRUNES
#define PRUNES 0         /* writers that, inside, clear the bits of idle readers */
#endif
#ifndef STEALS
#define STEALS 0             /* how many requests for writing may be steals */
#endif
#ifndef LIMIT
#define LIMIT 0              /* read holds at most, of all processes together; 0: no limit */
#endif
/* CANCEL: waits may be cancelled. CLOSE: a waiter's fairness ends. TRIES: failing tries clear blockers. SYNC: a waiting process
   may read synchronously. DROP: processes close at the end. KEEPER: only process 1 keeps its hold. STRICT: fairness is 0, and the
   order of the grants is checked (with CLOSE). SECOND: so many times, a process that waits for a read requests a write hold, too.
   IN_TURN_READS: nested reads wait in turn. */

#define SLOTS (N + SPARE)
#define PROCESSES (N + BORN)
#define OPENS (BORN > 0)
#define MORTAL (DEATHS > 0 || STOPS > 0)
#ifndef SECOND
#define SECOND 0
#endif
#if SECOND > 0
#define SECOND_MODE next
#else
#define SECOND_MODE 0
#endif
#ifdef STRICT
#define ALL_STRICT 1
#else
#define ALL_STRICT 0
#endif
#if STEALS > 0
#define STEALS_NOW steal
#else
#define STEALS_NOW 0
#endif
#define IS_STRICT (ALL_STRICT || STEALS_NOW)      /* of a request: a steal always is */
#if defined(CLOSE) || STEALS > 0
#define CLOSES
#endif
#define NOTICES ((ACTS & (KEEPS | ROBBED)) || STEALS > 0)

/* ---- words --------------------------------------------------------------------------------------------- */

#define FREE       0                              /* gate, bits 0-2: mode */
#define UPGRADABLE 1
#define DRAINING   2
#define UPGRADING  3
#define WRITING    4
#define WAITING    8
#define CLOSED     16
#define POISONED   32
#define OWNER(g)   (((g) >> 6) & 3)
#define DIED(g)    (((g) >> 8) & 3)
#define SEQUENCE   (7 << 10)
#define TAG        (15 << 13)

#define MODE(g)             ((g) & 7)
#define EXCLUDES_READERS(g) ((g) & 6)
#define ADMITS_READER(g)    (((g) & (6 | CLOSED)) == 0)
#define ADMITS_EXCLUSIVE(g) (((g) & (7 | CLOSED)) == 0)
#define OWNED_BY(g, v)      (MODE(g) != FREE && OWNER(g) == (v))
#define TO_BE_WRITER(g)     (MODE(g) == DRAINING || MODE(g) == UPGRADING)
#define DRAINED_BY(g, v)    (TO_BE_WRITER(g) && OWNER(g) == (v))
#if LIMIT
#define FREE_FOR(m, g)      ((m) == R -> !EXCLUDES_READERS(g) && ROOM : MODE(g) == FREE)
#else
#define FREE_FOR(m, g)      ((m) == R && !EXCLUDES_READERS(g) || MODE(g) == FREE)
#endif
#define HAS_DIED(g, v)      (((g) & POISONED) && DIED(g) == (v))
#define TENURE(g)           ((g) & (7 | TAG))
#define TURNED(g, m)        (((g) & ~7) | (m))
#define FREED(g)            ((g) & ~(7 | 3 << 6))
#define WITH_DRAIN_ABORTED(g)       (FREED(g) | (MODE(g) == UPGRADING) * (UPGRADABLE | OWNER(g) << 6))
#define ACQUIRED(g, m)      ((((FREED(g)) | (m) | (s << 6)) & ~TAG) | (((g) + (1 << 13)) & TAG))
#define POISON_CLEARED(g)           ((g) & ~(POISONED | 3 << 8))
#define POISONED_BY(g, v)   (POISON_CLEARED(g) | POISONED | ((v) << 8))
#define NEXT(g)             (((g) & ~SEQUENCE) | (((g) + (1 << 10)) & SEQUENCE))
#define WITH_WAITING(g)     (NEXT(g) | WAITING)
#define WITHOUT_QUEUE(g)    ((g) & ~(WAITING | CLOSED))

#if LIMIT
#define COUNT(r) ((r) & 63)                       /* reads: bits 0-1 holds, 2 claimed, 3-5 claim, then generation */
#define HELD(r) ((r) & 3)
#define CLAIMED 4
#define CLAIM_OF(r) (((r) >> 3) & 7)
#define GENERATION(r) ((r) >> 6)
#define READS(c) ((generation << 6) | (c))
#define WITH_CLAIM(r) ((r) | CLAIMED | claim << 3)
#define ADMITTED(r) ((r) - COUNT(r) + HELD(r) + 1)
#define ROOM (HELD(reads[0]) + HELD(reads[1]) + (SLOTS > 2) * HELD(reads[SLOTS - 1]) < LIMIT) /* in one step: a hint */
#define ADMITTED_SLOT(m) ((m) & 3)                /* admission: bits 0-1 slot, 2-4 claim, then sequence */
#define ADMITTED_CLAIM(m) (((m) >> 2) & 7)
#define NEXT_ADMISSION(m) ((((m) & 480) + 32 | claim << 2 | s) & 511)
#else
#define COUNT(r) ((r) & 3)                        /* reads: bits 0-1 count, then generation */
#define GENERATION(r) ((r) >> 2)
#define READS(c) ((generation << 2) | (c))
#endif
#define READER_BIT(v) (1 << (v))

#define R 1                                       /* queued: bits 0-1 Mode */
#define U 2
#define W 3
#define SKIPPED 4
#define KIND(q)   ((q) & 3)
#define SKIP_COUNT(q) (((q) >> 3) & 3)
#define TICKET(q) (((q) >> 7) & 15)
#define QUEUED(m, tick)  ((m) | (generation << 5) | ((tick) << 7))
#define FOLLOWED (1 << 11)                        /* an exclusive request of the same process comes behind it */
#define KEEPS_READERS_OUT(q) (KIND(q) != R || ((q) & FOLLOWED))
#define WITH_SKIP(q)   (((q) | SKIPPED) + (SKIP_COUNT(q) < 3) * 8)
#define IN_TURN(q) (KIND(q) && !((q) & SKIPPED))

#define NOBODY 31                                 /* later than any ticket */
#define NONE   7                                  /* no slot */

int   gate = 0;
byte  last_token = 1;
#if STEALS > 0
byte  tickets = 8;
#define STEAL_TICKET(tick) ((tick) - 8)           /* before all that are no steals */
#define EVICTED_TICKET 7                          /* after the steals, and before the others */
#else
byte  tickets = 1;
#endif
#if LIMIT
short admission = 0;                              /* the claim of a reader that was admitted last */
#endif
byte  reads[SLOTS];
byte  token[SLOTS];
byte  reader_bitmap = 0;                                /* a bit for each slot that may read */
short queued[SLOTS];
bit   wake[SLOTS];
bit   late[SLOTS];                                /* overdue: its waiter wants the queue closed */
bit   in_try[SLOTS];                              /* its owner is in a try: if it drains, it does not wait for the readers */
#if NOTICES
byte  notices[SLOTS];                             /* the modes of the requests that its owner wants to be told of, a bit each; 1: steals */
#endif
#if STEALS > 0
bit   steals[SLOTS];                              /* its first request, or its drain, is a steal */
#endif
byte  lock[SLOTS];                                /* the kernel's byte lock: the process that holds the slot, or 0 */
#if ACTS & SET
byte  stamp = 0;                                  /* the number of the value: its lowest bit is the buffer */
byte  buffers[4];                                 /* two buffers of two words; value number n has n in both */
#define BUFFER(n) (((n) & 1) * 2)
#endif
#if OPENS
byte  high_water = N;                             /* the number of slots, and how often that was changed */
#define MARK(word)           ((word) & 7)
#define CHANGED(word, mark)  (((word) & ~7) + 8 | (mark))
bit   vacant[SLOTS];                              /* pid 0 */
#define HIGH_WATER high_water
#else
#define HIGH_WATER N
#endif
#define DEAD(v) (lock[v] == 0 || lock[v] == _pid) /* a process that has just taken a slot's byte needs no probe */

/* ---- what an omniscient observer knows ------------------------------------------------------------------- */

#define READER      1
#define UPGRADER    2
#define WRITER      4
#define PIDS        6
byte holds[PIDS];                                 /* what each process holds */
#if LIMIT
byte reading[PIDS];                               /* how many of them are read holds */
byte tries[PIDS];                                 /* 1: it claims a read hold; 2: and the limit was reached at some moment since */
#define ALL_READING (reading[1] + reading[2] + reading[3] + reading[4] + reading[5])
#define READING(c) reading[_pid] = c; assert(ALL_READING <= LIMIT); note_full()
#define WAS_FULL(p) tries[p] = (tries[p] -> 2 : 0)
inline note_full() {
  if
  :: ALL_READING == LIMIT -> WAS_FULL(1); WAS_FULL(2); WAS_FULL(3); WAS_FULL(4); WAS_FULL(5)
  :: else
  fi
}
#else
#define READING(c) skip
#endif
bit  live[PIDS];                                  /* may die: attached, and not done */
bit  poison = 0;                                  /* a process died inside a write hold, and no write hold has ended consistent since */
byte poisoner = 0, poisoner_life = 0;             /* its slot and generation */
byte observed_token = 1;
bit  closes[SLOTS];                               /* its waiter has closed the queue since it published its request */
byte checks = CHECKS, prunes = PRUNES, deaths = 0, stops = 0, closings = 0;
#if STEALS > 0
byte steals_left = STEALS;
byte stealing = 0;                                /* the processes that want to steal, a bit each */
byte made_steals = 0;                             /* of those: it sleeps, so the others know */
byte known_steals[PIDS];                          /* of each process: those that were made before it looked at the queue */
bit  robbable[PIDS];                              /* a process wanted to steal at some moment since this one began to look */
#endif
#if ACTS & KEEPS
bit  keeping[PIDS];                               /* sleeps inside its hold, until it is told */
#endif
#if SECOND > 0
byte seconds = SECOND;
#endif
#if MORTAL
bit  killed[PIDS];
byte asleep[PIDS];                                /* slot + 1 */
#ifdef CALLS
bit  sleeping[SLOTS];                             /* in the kernel */
#define AWAKE(v) (sleeping[v] == 0)
#else
#define AWAKE(v) wake[v]
#endif
byte checked[PIDS];                                /* checks at a standstill since the last grant or death */
#define ENOUGH_CHECKS 3                                 /* this many must be enough */
#define CHECKED(p) checked[p] = 0
inline anything_happened() { CHECKED(1); CHECKED(2); CHECKED(3); CHECKED(4); CHECKED(5) }
#else
inline anything_happened() { skip }
#endif
#if STOPS > 0
bit  stopped[PIDS];
#define MAY_STOP(p) stopped[p]
#else
#define MAY_STOP(p) false
#endif

#define PID_BIT(p) (1 << (p))
#if STEALS > 0
#define STEALS_AWAKE(p) (_pid != p && (stealing & PID_BIT(p)) && !MAY_STOP(p))
#define OTHERS_STEAL (STEALS_AWAKE(1) || STEALS_AWAKE(2) || STEALS_AWAKE(3) || STEALS_AWAKE(4))
inline steal_made() { if :: steal && want -> made_steals = made_steals | PID_BIT(_pid) :: else fi }
inline steal_leaves(p) { made_steals = made_steals & ~PID_BIT(p) } /* granted, skipped, withdrawn or dead */
inline steal_ends(p) { stealing = stealing & ~PID_BIT(p); steal_leaves(p) }
inline sees_steals() { known_steals[_pid] = made_steals & ~PID_BIT(_pid) }
/* No other request goes before a steal that was made before it was looked whose turn it is. */
inline after_steals() { assert(steal || !(known_steals[_pid] & made_steals)); if :: steal -> steal_leaves(_pid) :: else fi }
#else
inline steal_made() { skip }
inline steal_leaves(p) { skip }
inline steal_ends(p) { skip }
inline sees_steals() { skip }
inline after_steals() { skip }
#endif

/* The order of requests. Of each process: the others whose request was made before its own began, and still waits. A bit for
   each process; *_r: requests for reading, *_x: the others; then_*: of its second request. */
#ifdef STRICT
byte waits_r = 0, waits_x = 0;                    /* made: its process sleeps */
byte before_r[PIDS], before_x[PIDS], then_r[PIDS], then_x[PIDS];
#define WITHOUT(array, p, mine) array[p] = array[p] & ~PID_BIT(mine)
inline left_r(p) {                                /* granted, skipped or withdrawn */
  waits_r = waits_r & ~PID_BIT(p);
  WITHOUT(before_r, 1, p); WITHOUT(before_r, 2, p); WITHOUT(before_r, 3, p);
  WITHOUT(then_r, 1, p); WITHOUT(then_r, 2, p); WITHOUT(then_r, 3, p)
}
inline left_x(p) {
  waits_x = waits_x & ~PID_BIT(p);
  WITHOUT(before_x, 1, p); WITHOUT(before_x, 2, p); WITHOUT(before_x, 3, p);
  WITHOUT(then_x, 1, p); WITHOUT(then_x, 2, p); WITHOUT(then_x, 3, p)
}
inline begins() {
  before_r[_pid] = waits_r & ~PID_BIT(_pid); before_x[_pid] = waits_x & ~PID_BIT(_pid)
}
inline second_begins() {
  then_r[_pid] = waits_r & ~PID_BIT(_pid); then_x[_pid] = waits_x & ~PID_BIT(_pid)
}
inline second_comes() {
  before_r[_pid] = then_r[_pid]; before_x[_pid] = then_x[_pid]; then_r[_pid] = 0; then_x[_pid] = 0
}
inline made() {
  atomic {
    if :: want == R -> waits_r = waits_r | PID_BIT(_pid) :: else fi;
    if :: want > R || SECOND_MODE -> waits_x = waits_x | PID_BIT(_pid) :: else fi
  }
}
inline reads_in_order() {
  assert(before_x[_pid] == 0);
  before_r[_pid] = 0;
  left_r(_pid)
}
inline claims_in_order() {
  assert(before_x[_pid] == 0 && before_r[_pid] == 0 || STEALS_NOW);
  left_x(_pid)
}
inline leaves(p) { left_r(p); left_x(p) }
#else
inline begins() { skip }
inline second_begins() { skip }
inline second_comes() { skip }
inline reads_in_order() { skip }
inline claims_in_order() { skip }
inline leaves(p) { skip }
inline left_r(p) { skip }
inline left_x(p) { skip }
#endif

#define OTHER(p, what)  (_pid != p && (holds[p] & (what)))
#define OTHERS(what)    (OTHER(1, what) || OTHER(2, what) || OTHER(3, what) || OTHER(4, what) || OTHER(5, what))

inline enter(what) {                              /* called by the step that grants */
  holds[_pid] = what;
  anything_happened();
  if :: what == READER -> reads_in_order(); after_steals() :: else fi;
  assert(!OTHERS(WRITER));
  assert(what == READER || !OTHERS(UPGRADER));
  assert(what != WRITER || !OTHERS(READER));
  assert(((gate & POISONED) != 0) == poison);
  assert(!poison || (DIED(gate) == poisoner && GENERATION(reads[poisoner]) == poisoner_life))
}

/* When the gate becomes "writing", no other process is inside. */
#define ALONE assert(!OTHERS(READER | UPGRADER | WRITER))

/* ---- atomic operations ---------------------------------------------------------------------------------- */

inline cas(word, was, new) {                      /* ok: done */
  atomic { if :: word == was -> word = new; ok = 1 :: else -> ok = 0 fi }
}

/* Changes the gate while `condition` holds. g: its last value; ok: changed. */
inline change_gate(condition, new) {
  do
  :: atomic { g = gate; ok = (condition); if :: ok :: else -> break fi };            /* crash point: gate_load */
     atomic {                                                                        /* crash point: gate_swap */
       if :: gate == g -> gate = new; break :: else -> ok = 0 fi
     }
  od
}

inline used_slots() {
#if OPENS
  high = MARK(high_water)                                                            /* crash point: scan_bound */
#else
  skip
#endif
}
#if OPENS
#define USED high
#else
#define USED N
#endif

/* ---- queue.rs -------------------------------------------------------------------------------------------- */

/* A wake is one step. With CALLS it is two, and its process may die after the mark and before the call. */
#ifdef CALLS
inline wake_up(slot) {
  if
  :: atomic { wake[slot] -> skip }                                                   /* crash point: wake_mark */
  :: atomic { !wake[slot] -> wake[slot] = 1 };
     sleeping[slot] = 0                                                              /* crash point: wake_call */
  fi
}
#define WAKES(guard, slot) guard -> wake_up(slot)
#else
inline wake_up(slot) { wake[slot] = 1 }
#define WAKES(guard, slot) atomic { guard -> wake[slot] = 1 }
#endif

inline wake_writer(seen) {
  if
  :: WAKES(TO_BE_WRITER(seen), OWNER(seen))                                          /* crash point: wake_writer */
  :: else
  fi
}

/* l: the registered slots. One word is enough here; the code loads each of several words like this one. */
inline load_reader_bitmap() {
  used_slots();
  l = reader_bitmap & (READER_BIT(USED) - 1)                                         /* crash point: scan_reader_bitmap */
}

inline next_reader() {
  j = 0;
  do :: (l & READER_BIT(j)) == 0 -> j++ :: else -> l = l & ~READER_BIT(j); break od
}

/* v: the first slot other than `me` that reads, or NONE. */
inline find_other_reader(me) {
  load_reader_bitmap();
  atomic { v = NONE; l = l & ~READER_BIT(me) };
  do
  :: atomic {
       if
       :: l == 0 -> break
       :: else ->
          next_reader();
          if :: COUNT(reads[j]) -> v = j; j = 0; l = 0; break :: else -> j = 0 fi;   /* crash point: scan_reads */
          if :: l == 0 -> break :: else fi
       fi
     }
  od
}

/* Clears the bits of idle readers. */
inline prune_idle_readers() {
  load_reader_bitmap();
  do
  :: atomic {
       if
       :: l == 0 -> break
       :: else ->
          next_reader();
          if :: COUNT(reads[j]) == 0 -> idle = idle | READER_BIT(j) :: else fi;      /* crash point: scan_reads */
          j = 0;
          if :: l == 0 -> break :: else fi
       fi
     }
  od;
  atomic { reader_bitmap = reader_bitmap & ~idle; idle = 0 }                         /* crash point: prune_readers */
}

/* v: the waiter that is ahead of a request, or NONE; w: its word. */
inline ahead_of(mode, tick) {
  used_slots();
  atomic { v = NONE; w = 0; j = (s == 0 -> 1 : 0) };
  do
  :: atomic {
       if
       :: j >= USED -> j = 0; break
       :: else ->
          q = queued[j];                                                             /* crash point: scan_queue */
          if
          :: IN_TURN(q) && TICKET(q) < (tick) && ((mode) != R || KEEPS_READERS_OUT(q) || LIMIT) && (v == NONE || TICKET(q) < TICKET(w)) ->
             v = j; w = q
          :: else
          fi;
          q = 0;
          j = (j + 1 == s -> j + 2 : j + 1);
          if :: j >= USED -> j = 0; break :: else fi
       fi
     }
  od
}

/* A closed queue stays closed until the waiter that closed it has left it, or did not come in its turn. */
#define STAYS_CLOSED(v) (closes[v] && IN_TURN(queued[v]))
inline assert_stays_closed() { assert(!STAYS_CLOSED(0) && !STAYS_CLOSED(1) && !STAYS_CLOSED(SLOTS - 1)) }

#define ITS_TURN ((q & SKIPPED) || KIND(q) == R && (LIMIT -> TICKET(q) == first : TICKET(q) <= first_exclusive) || \
                  KIND(q) > R && MODE(a) == FREE && TICKET(q) == first)

inline wake_next(me) {
  do
  :: atomic {
       a = gate;                                                                     /* crash point: wake_load */
       if
       :: EXCLUDES_READERS(a) || !(a & WAITING) -> a = 0; break
       :: else
       fi;
       j = 0; first = NOBODY; first_exclusive = NOBODY; any = 0; any_late = 0
     };
     used_slots();
     do
     :: atomic {
          q = queued[j];                                                             /* crash point: scan_queue */
          any = any || KIND(q);
          if
          :: IN_TURN(q) ->
             any_late = any_late || late[j];                                         /* crash point: scan_overdue */
             if :: TICKET(q) < first -> first = TICKET(q) :: else fi;
             if :: KEEPS_READERS_OUT(q) && TICKET(q) < first_exclusive -> first_exclusive = TICKET(q) :: else fi
          :: else
          fi;
          q = 0; j++;
          if :: j >= USED -> j = 0; break :: else fi
        }
     od;
     if
     :: atomic {
          !any ->                                                                    /* crash point: clear_queue */
          if :: gate == a -> gate = WITHOUT_QUEUE(a); a = 0; first = 0; first_exclusive = 0; break :: else fi
        }
     :: else ->
#ifdef CLOSES
        if
        :: atomic {
             (a & CLOSED) && !any_late ->                                            /* crash point: reopen_queue */
             if :: gate == a -> gate = a & ~CLOSED; assert_stays_closed() :: else fi
           }
        :: else
        fi;
#endif
        used_slots();
        do
        :: atomic {
             !ok ->
             q = queued[j];                                                          /* crash point: scan_queue */
             ok = j != (me) && ITS_TURN;
             q = 0;
             if :: ok :: else -> j++; if :: j >= USED -> break :: else fi fi
           }
        :: WAKES(ok, j); atomic { ok = 0; j++; if :: j >= USED -> break :: else fi } /* crash point: wake_waiter */
        od;
        atomic { a = 0; j = 0; first = 0; first_exclusive = 0; any = 0; any_late = 0; break }
     fi
  od
}

#if NOTICES
#if STEALS > 0
#define STEAL_NEWS steals[s]
#else
#define STEAL_NEWS 0
#endif
#define NEWS(mode) (1 << (mode) | STEAL_NEWS)
/* Holder v is told of a request with `mode` if it asked for that. In a check the mark alone is not enough: the process that
   made it may have died before its call. */
inline tell(mode, in_check) {
  ok = (notices[v] & NEWS(mode)) != 0;                                               /* crash point: notice_load */
  if
  :: ok && !(in_check) -> ok = 0; wake_up(v)                                         /* crash point: notice */
  :: ok && (in_check) ->
     atomic { ok = 0; wake[v] = 1 };                                                 /* crash point: wake_mark */
#ifdef CALLS
     sleeping[v] = 0                                                                 /* crash point: wake_call */
#endif
  :: else
  fi
}

/* Tells the holders that asked, and that keep out a request of this process: the owner of the gate and, for a writer or if
   the readers are limited, the readers. */
inline tell_holders(mode, in_check) {
  atomic { g = gate; v = (MODE(g) != FREE && OWNER(g) != s -> OWNER(g) : NONE); g = 0 }; /* crash point: notice_gate */
  if :: v != NONE -> tell(mode, in_check) :: else fi;
  if
  :: (mode) == W || LIMIT ->
     load_reader_bitmap();
     l = l & ~READER_BIT(s);
     do
     :: l == 0 -> break
     :: else -> atomic { next_reader(); v = j; j = 0 }; tell(mode, in_check)
     od
  :: else
  fi;
  atomic { v = 0; ok = 0 }
}

/* What this process waits for: 4 to drain, else the mode of its request. */
#define WAITS_FOR (drain && claimed -> 4 : published)

/* Once for each request that was published, and for each drain. */
inline notify_holders() {
  if
  :: WAITS_FOR && notified != WAITS_FOR ->
     notified = WAITS_FOR;
     tell_holders((drain && claimed -> W : published), false)
  :: else -> notified = WAITS_FOR
  fi
}

#define FORGET_NOTICE notified = 0
#else
#define FORGET_NOTICE skip
inline notify_holders() { skip }
#endif

#if ACTS & KEEPS
/* The requests that a holder keeps out. */
#define KEPT_OUT (held == W -> 14 : (held == U -> 12 : (LIMIT -> 10 : 8)))
#if LIMIT
#define IS_LET_IN(q) (!held && KIND(q) == R && ROOM)
#else
#define IS_LET_IN(q) false
#endif

/* found: a request waits that this hold keeps out. */
inline is_contended() {
  atomic {
    a = gate;                                                                        /* crash point: contended_load */
    found = count && TO_BE_WRITER(a) && OWNER(a) != s
  };
  if :: found -> found = !in_try[OWNER(a)] :: else fi;                               /* crash point: skip_load_in_try */
  if
  :: !found && (a & WAITING) ->
     used_slots();
     do
     :: atomic {
          q = queued[j];                                                             /* crash point: scan_queue */
          found = found || j != s && IN_TURN(q) && ((KEPT_OUT >> KIND(q)) & 1) && !IS_LET_IN(q);
          q = 0; j++;
          if :: j >= USED -> j = 0; break :: else fi
        }
     od
  :: else
  fi;
  a = 0
}

/* Nothing else is left to do: the others have finished, or keep their holds as well. */
#define NO_MATTER(p) (_pid == p || !live[p] || keeping[p] || MAY_STOP(p))
#define LEFT_ALONE (NO_MATTER(1) && NO_MATTER(2) && NO_MATTER(3) && NO_MATTER(4) && NO_MATTER(5))

/* Keeps the hold until somebody wants it. Only a wake, which is all that a notice is, ends the sleep. */
inline keep() {
  notices[s] = KEPT_OUT;                                                             /* crash point: ask_notices */
  do
  :: wake[s] = 0;                                                                    /* crash point: take_wake */
     is_contended();
     if
     :: found -> found = 0; break
     :: else ->
        atomic {
          keeping[_pid] = 1;
#if MORTAL
          asleep[_pid] = s + 1;
#ifdef CALLS
          sleeping[s] = !wake[s];
#endif
          if
          :: AWAKE(s)
          :: !AWAKE(s) && LEFT_ALONE -> inside = 1
          fi;
          asleep[_pid] = 0;
#else
          if
          :: wake[s]
          :: LEFT_ALONE -> inside = 1
          fi;
#endif
          keeping[_pid] = 0;
          if :: inside -> inside = 0; break :: else fi
        }
     fi
  od;
  notices[s] = 0
}
#endif
#ifdef KEEPER
#define MAY_KEEP (_pid == 1)
#else
#define MAY_KEEP true
#endif

/* ---- recovery.rs ----------------------------------------------------------------------------------------- */

/* Repairs what the owner of slot v left behind, if it died. repaired: there was something to repair. */
inline repair() {
  atomic { q2 = queued[v]; repaired = 1 };                                           /* crash point: repair_load_queued */
  atomic {
    r = reads[v];                                                                    /* crash point: repair_load_reads */
    if :: COUNT(r) == 0 -> r = 0 :: else fi
  };
  if
  :: q2 || r
  :: else -> atomic { a = gate; repaired = OWNED_BY(a, v); a = 0 }                   /* crash point: repair_load_gate */
  fi;
  atomic { repaired = repaired && DEAD(v); if :: repaired :: else -> q2 = 0; r = 0 fi }; /* crash point: probe */
  if
  :: repaired ->
     if
     :: q2 -> atomic { if :: queued[v] == q2 -> queued[v] = 0 :: else fi; q2 = 0 }   /* crash point: repair_queued */
     :: else
     fi;
     if
     :: r -> atomic { if :: reads[v] == r -> reads[v] = r - COUNT(r) :: else fi; r = 0 } /* crash point: repair_reads */
     :: else
     fi;
     free_gate_of();
     wake_next(NONE);
     a = gate;                                                                       /* crash point: repair_wake_load */
     wake_writer(a);
     a = 0
  :: else
  fi
}

inline free_gate_of() {
  do
  :: atomic {
       a = gate;                                                                     /* crash point: free_gate_load */
       if :: OWNED_BY(a, v) :: else -> a = 0; break fi
     };
     atomic { if :: DEAD(v) :: else -> a = 0; break fi };                            /* crash point: probe */
     if
     :: MODE(a) == WRITING -> inside = token[v] == last_token                        /* crash point: free_gate_load_token */
     :: else
     fi;
     atomic {                                                                        /* crash point: free_gate */
       if
       :: gate == a ->
          if :: inside -> gate = POISONED_BY(FREED(a), v) :: else -> gate = FREED(a) fi;
          a = 0; inside = 0; break
       :: else -> inside = 0
       fi
     }
  od
}

#if LIMIT
/* All holds are given out, perhaps to dead processes. */
inline repair_readers() {
  do
  :: atomic {
       other < SLOTS && (other == s || COUNT(reads[other]) == 0) -> other++          /* crash point: check_reader */
     }
  :: other < SLOTS && other != s && COUNT(reads[other]) -> v = other; repair(); repaired = 0; other++
  :: other == SLOTS -> break
  od;
  atomic { other = 0; v = 0 }
}
#endif

/* Checks the blockers of a request. found: a try is worthwhile. A grace period may be over at any check. */
inline check_for(mode, tick) {
#if LIMIT
  if
  :: (mode) == R && !ROOM -> repair_readers()                                        /* crash point: scan_holds */
  :: else
  fi;
#endif
  phase = 0;
  do
  :: if
     :: phase == 0 ->
        atomic {
          g = gate;                                                                  /* crash point: blocker_load */
          v = (MODE(g) != FREE && OWNER(g) != s -> OWNER(g) : NONE)
        }
     :: phase == 1 && TO_BE_WRITER(g) -> find_other_reader(s)
     :: phase == 1 && !TO_BE_WRITER(g) -> v = NONE
     :: phase == 2 -> ahead_of(mode, tick)
     fi;
     if
     :: v != NONE -> repair(); if :: phase == 2 && !repaired -> break :: else fi
     :: v == NONE -> if :: phase == 2 -> break :: else fi
     fi;
     if :: phase < 2 -> phase++ :: else fi
  od;
  atomic {
    phase = 0; repaired = 0;
    g = gate;                                                                        /* crash point: turn_load */
    found = v == NONE && FREE_FOR(mode, g)
  };
  if
  :: found
  :: !found && v != NONE && FREE_FOR(mode, g) && FREE_FOR(KIND(w), g) ->
     if
     :: MAY_SKIP ->
        atomic {
          cas(queued[v], w, WITH_SKIP(w));                                           /* crash point: skip_queued */
          if :: ok && SKIPS -> leaves(v + 1); steal_leaves(lock[v]) :: else fi
        };
        if :: ok -> ok = 0; wake_up(v); wake_next(NONE) :: else fi                   /* crash point: wake_mark */
     :: else
     fi
  :: !found && !(v != NONE && FREE_FOR(mode, g) && FREE_FOR(KIND(w), g)) && TO_BE_WRITER(g) && OWNER(g) != s ->
     ok = in_try[OWNER(g)];                                                          /* crash point: skip_load_in_try */
     if
     :: ok -> ok = 0; v = NONE
     :: else -> if :: MAY_SKIP_DRAIN -> find_other_reader(NONE) :: else -> v = s fi
     fi;
     if
     :: v == NONE ->
        d = g;
        atomic { g = gate; ok = TENURE(g) == TENURE(d); d = 0 };                     /* crash point: skip_load */
        if
        :: ok ->
           cas(gate, g, WITH_DRAIN_ABORTED(g));                                      /* crash point: skip_drain */
           if
           :: ok -> ok = 0; wake_up(OWNER(g)); wake_next(NONE)                       /* crash point: wake_mark */
           :: else
           fi
        :: else
        fi
     :: else
     fi
  :: else
  fi;
  atomic { v = 0; w = 0; g = 0; ok = 0 }
}

/* The periodic check by a sleeping waiter. */
inline check() {
  atomic {
    g = gate;                                                                        /* crash point: check_gate */
    ok = OWNED_BY(g, s)
  };
  if
  :: ok && TO_BE_WRITER(g) ->
     ok = 0;
     find_other_reader(s);
     if
     :: v == NONE -> found = 1
     :: else ->
        repair(); repaired = 0;
#if NOTICES
        tell_holders(W, true)
#endif
     fi;
     v = 0
  :: ok && !TO_BE_WRITER(g) -> ok = 0; found = MODE(g) == UPGRADABLE                  /* perhaps it was skipped */
  :: !ok ->
     atomic { d = queued[s]; found = !d };                                           /* crash point: check_queued */
     if
     :: !found ->
        check_for(want, ticket);
#if NOTICES
        tell_holders(published, true)
#endif
     :: else
     fi
  fi;
  atomic { g = 0; d = 0 };
  if :: found -> found = 0; wake_up(s) :: else fi                                    /* crash point: wake_mark */
}

/* ---- attachment.rs: read -------------------------------------------------------------------------------- */

#define MODE_HELD ((held == U) * UPGRADER + (held == W) * WRITER)

#if LIMIT

/* ---- attachment/limited.rs ---- */

/* The last reader that was admitted may not have its hold in its slot yet. */
inline complete_admission() {
  atomic {
    r = reads[ADMITTED_SLOT(m)];                                                     /* crash point: complete_load */
    if :: (r & CLAIMED) && CLAIM_OF(r) == ADMITTED_CLAIM(m) :: else -> r = 0 fi
  };
  if
  :: r ->
     atomic {                                                                        /* crash point: complete_read */
       if :: reads[ADMITTED_SLOT(m)] == r -> reads[ADMITTED_SLOT(m)] = ADMITTED(r) :: else fi;
       r = 0
     }
  :: else
  fi
}

/* n: the read holds of all registered slots. */
inline held_reads() {
  load_reader_bitmap();
  n = 0;
  do
  :: atomic {
       if
       :: l == 0 -> break
       :: else ->
          next_reader();
          n = n + HELD(reads[j]);                                                    /* crash point: scan_holds */
          j = 0;
          if :: l == 0 -> break :: else fi
       fi
     }
  od
}

/* ok: this claim is admitted. */
inline admit() {
  do
  :: m = admission;                                                                  /* crash point: admission_load */
     complete_admission();
     held_reads();
     if
     :: n >= LIMIT ->
        atomic {                                                                     /* crash point: admission_check */
          if :: admission == m -> ok = 0; assert(tries[_pid] == 2 || deaths); break :: else fi
        }
     :: else ->
        atomic {                                                                     /* crash point: admit */
          if
          :: admission == m ->
             admission = NEXT_ADMISSION(m);
             READING(reading[_pid] + 1);
             ok = 1; enter(READER | MODE_HELD); break
          :: else
          fi
        }
     fi
  od;
  atomic { m = 0; n = 0 }
}

inline read_limited(open) {
  atomic {                                                                           /* crash point: claim_read */
    reads[s] = WITH_CLAIM(READS(count)); tries[_pid] = 1 + (ALL_READING == LIMIT)
  };
  atomic { g = gate; ok = (open); g = 0 };                                           /* crash point: claim_read_load */
  if
  :: ok ->
     found = (reader_bitmap & READER_BIT(s)) != 0;                                   /* crash point: registered_load */
     if
     :: found -> found = 0
     :: else ->
        reader_bitmap = reader_bitmap | READER_BIT(s);                               /* crash point: register_reader */
        do
        :: atomic { g = gate; ok = (open); if :: ok :: else -> g = 0; break fi };    /* crash point: register_load */
           atomic { if :: gate == g -> gate = NEXT(g); g = 0; break :: else -> g = 0; ok = 0 fi } /* crash point: register_gate */
        od
     fi;
     if :: ok -> admit() :: else fi
  :: else
  fi;
  if
  :: ok -> atomic { count++; reads[s] = READS(count); claim = (claim + 1) & 7; tries[_pid] = 0 } /* crash point: confirm_read */
  :: else ->
     atomic { reads[s] = READS(count); tries[_pid] = 0 };                            /* crash point: retract_claim */
     if
     :: count == 0 ->
        g = gate;                                                                    /* crash point: retract_load */
        if :: !OWNED_BY(g, s) -> wake_writer(g) :: else fi;
        g = 0
     :: else
     fi
  fi
}

inline release_limited() {
  atomic {                                                                           /* crash point: release_limited */
    count--; reads[s] = READS(count);
    READING(count); holds[_pid] = (count > 0) * READER | MODE_HELD
  };
  g = gate;                                                                          /* crash point: release_limited_load */
  if
  :: EXCLUDES_READERS(g) -> wake_writer(g)
  :: !EXCLUDES_READERS(g) && (g & WAITING) -> wake_next(s)
  :: else
  fi;
  g = 0
}

inline upgradable_to_read() {                                                        /* if there is room */
  read_limited(true);
  if :: ok -> ok = 0; release_exclusive() :: else fi
}
#endif

/* Reads while `open` holds of the gate. ok: it reads. */
inline read_while(open) {
#if LIMIT
  read_limited(open)
#else
  if
  :: count == 0 ->
     reads[s] = READS(1);                                                            /* crash point: read_publish */
     atomic { g = gate; ok = (open); g = 0 };                                        /* crash point: read_load */
     if
     :: ok ->
        atomic {
          ok = (reader_bitmap & READER_BIT(s)) != 0;                                 /* crash point: registered_load */
          if :: ok -> count = 1; enter(READER | MODE_HELD) :: else fi
        };
        if
        :: ok
        :: else ->
           reader_bitmap = reader_bitmap | READER_BIT(s);                            /* crash point: register_reader */
           do
           :: atomic { g = gate; ok = (open); if :: ok :: else -> g = 0; break fi }; /* crash point: register_load */
              atomic {                                                               /* crash point: register_gate */
                if
                :: gate == g -> gate = NEXT(g); g = 0; count = 1; enter(READER | MODE_HELD); break
                :: else -> g = 0; ok = 0
                fi
              }
           od
        fi
     :: else
     fi;
     if
     :: ok
     :: else ->
        reads[s] = READS(0);                                                         /* crash point: retract_read */
        g = gate;                                                                    /* crash point: retract_load */
        if :: !OWNED_BY(g, s) -> wake_writer(g) :: else fi;
        g = 0
     fi
  :: else ->
     atomic { g = gate; ok = (open); g = 0 };                                        /* crash point: join_load */
     if :: ok -> join_readers() :: else fi
  fi
#endif
}

inline join_readers() {
  atomic { count++; reads[s] = READS(count) }                                        /* crash point: join_readers */
}

inline release_read() {
#if LIMIT
  release_limited()
#else
  if
  :: count > 1 -> atomic { count--; reads[s] = READS(count) }                        /* crash point: leave_readers */
  :: else ->
     atomic { count = 0; holds[_pid] = MODE_HELD; reads[s] = READS(0) };             /* crash point: release_read */
     g = gate;                                                                       /* crash point: release_load */
     wake_writer(g);
     g = 0
  fi
#endif
}

/* ---- attachment.rs: upgradable and write ----------------------------------------------------------------- */

inline claim_gate(mode, open) {
  do
  :: atomic { g = gate; ok = (open); if :: ok :: else -> break fi };                 /* crash point: claim_load */
     atomic {                                                                        /* crash point: claim_gate */
       if :: gate == g -> gate = ACQUIRED(g, mode); claims_in_order(); after_steals(); break :: else -> ok = 0 fi
     }
  od
}

inline abort_claim() {
  change_gate(OWNED_BY(g, s) && EXCLUDES_READERS(g), WITH_DRAIN_ABORTED(g));         /* crash point: abort_drain */
  g = 0; ok = 0;
  wake_next(s)
}

/* ok: it writes. If no other bit is set, the claim fails if a reader sets its bit meanwhile. */
inline write_now() {
  do
  :: atomic { g = gate; ok = ADMITS_EXCLUSIVE(g); if :: ok :: else -> break fi };    /* crash point: claim_load */
     used_slots();
     l = reader_bitmap & (READER_BIT(USED) - 1) & ~READER_BIT(s);                    /* crash point: scan_reader_bitmap */
     if
     :: l -> l = 0; write_with_others_registered(); break
     :: else ->
        atomic { if :: gate == g -> gate = ACQUIRED(g, WRITING); ALONE; claims_in_order(); after_steals() :: else -> ok = 0 fi }; /* crash point: claim_gate */
        if
        :: ok ->
           find_other_reader(s);
           if
           :: v == NONE -> begin_write(); ok = 1
           :: else -> abort_claim()
           fi;
           break
        :: else
        fi
     fi
  od;
  v = 0; g = 0
}

inline write_with_others_registered() {
  find_other_reader(s);
  ok = v == NONE;
  if
  :: ok ->
     in_try[s] = 1;                                                                  /* crash point: try_mark */
     claim_gate(DRAINING, ADMITS_EXCLUSIVE(g));
     if :: ok -> write_drained() :: else fi;
     in_try[s] = 0                                                                   /* crash point: try_unmark */
  :: else
  fi
}

/* The gate says that this process drains; the try ends here. */
inline write_drained() {
  find_other_reader(s);
  if
  :: v == NONE ->
     claim_drained();
     if
     :: ok ->
        if :: count -> atomic { reads[s] = READS(0); count = 0; READING(0) } :: else fi; /* crash point: end_read_in_place */
        begin_write();
        ok = 1
     :: else
     fi
  :: else -> abort_claim()
  fi
}

inline begin_write() {
  f = last_token + 1;                                                                /* crash point: last_token_load */
#if PRUNES > 0
  if
  :: atomic { prunes > 0 -> prunes-- }; prune_idle_readers()
  :: true
  fi;
#endif
  last_token = f;                                                                    /* crash point: last_token_store */
  atomic {
    token[s] = f;                                                                    /* crash point: token_store */
    held = W; enter(WRITER);
    assert(f > observed_token); observed_token = f; f = 0
  }
}

/* after: what the process holds from here on. */
inline end_write(after) {
  atomic { token[s] = 0; holds[_pid] = after }                                       /* crash point: end_write */
}

inline claim_drained() { change_gate(DRAINED_BY(g, s), TURNED(g, WRITING)) }         /* crash point: claim_drained */

inline claim_upgrade() { change_gate(OWNED_BY(g, s), ACQUIRED(g, UPGRADING)) }       /* crash point: claim_upgrade */

inline upgrade_now() {                                                               /* ok: it writes */
  find_other_reader(s);
  ok = v == NONE;
  if
  :: ok ->
     in_try[s] = 1;                                                                  /* crash point: try_mark */
     if
     :: held == U -> claim_upgrade()
     :: else -> claim_gate(DRAINING, ADMITS_EXCLUSIVE(g))
     fi;
     if :: ok -> write_drained() :: else fi;
     in_try[s] = 0                                                                   /* crash point: try_unmark */
  :: else
  fi;
  v = 0; g = 0
}

#define CONSISTENT 0
#define BY_FAILURE 1
#define BY_LEAVING 2
inline release_exclusive() {                                                         /* end: how */
  if
  :: held == W && end != BY_LEAVING -> end_write((count > 0) * READER)
  :: else
  fi;
  /* The code begins with its copy of the gate instead of a load; if the copy is old, the swap fails. */
  do                                                                                 /* crash point: release_exclusive */
  :: atomic { g = gate; assert(OWNED_BY(g, s)) };                                    /* crash point: gate_load */
     atomic {                                                                        /* crash point: gate_swap */
       if
       :: gate == g ->
          if
          :: held == W && end == CONSISTENT -> gate = POISON_CLEARED(FREED(g)); poison = 0; poisoner = 0; poisoner_life = 0
          :: held == W && end == BY_LEAVING ->
             gate = POISONED_BY(FREED(g), s); poison = 1; poisoner = s; poisoner_life = generation
          :: else -> gate = FREED(g)
          fi;
          held = 0; end = CONSISTENT; holds[_pid] = (count -> READER : 0);
          break
       :: else
       fi
     }
  od;
  if :: g & WAITING -> g = 0; wake_next(s) :: else -> g = 0 fi
}

inline downgrade_to_read() {
  if
  :: count == 0 ->
     atomic { reads[s] = READS(1); count = 1; READING(1) };                          /* crash point: downgrade_publish */
     if
     :: reader_bitmap & READER_BIT(s)                                                /* crash point: registered_load */
     :: else -> reader_bitmap = reader_bitmap | READER_BIT(s)                        /* crash point: register_reader */
     fi
  :: else -> join_readers()
  fi;
  release_exclusive()
}

inline downgrade_to_upgradable() {
  end_write(UPGRADER);
  do                                                                                 /* crash point: downgrade_gate */
  :: atomic { g = gate; assert(OWNED_BY(g, s)) };                                    /* crash point: gate_load */
     atomic {                                                                        /* crash point: gate_swap */
       if
       :: gate == g ->
          if
          :: gate = POISON_CLEARED(TURNED(g, UPGRADABLE)); poison = 0; poisoner = 0; poisoner_life = 0
#if ACTS & FAILED
          :: gate = TURNED(g, UPGRADABLE)                                          /* undo_upgrade */
#endif
          fi;
          held = U;
          break
       :: else
       fi
     }
  od;
  if :: g & WAITING -> g = 0; wake_next(s) :: else -> g = 0 fi
}

/* A try failed. found: another one is worthwhile. The first probe may be of a slot that is not a blocker. */
inline clear_blockers(mode) {
  if
  :: v = 0
  :: v = 1
  :: v = SLOTS - 1
  fi;
  if :: v != s -> repair() :: else fi;
  check_for(mode, NOBODY);
  if :: found -> wake_next(s) :: else fi;
  if
  :: mode == W ->
     do
     :: find_other_reader(s);
        if
        :: v != NONE -> repair(); if :: repaired -> repaired = 0 :: else -> break fi
        :: else -> break
        fi
     od;
     v = 0; repaired = 0
  :: else
  fi
}

/* ---- value.rs -------------------------------------------------------------------------------------------- */

#if ACTS & SET
/* The value is whole, whatever happened; only the buffer of the next one may be half filled. */
inline assert_whole() { assert(buffers[BUFFER(stamp)] == stamp && buffers[BUFFER(stamp) + 1] == stamp) }

/* In the code the second word is the rest of the buffer, and its checksum. */
inline set_value() {
  atomic { assert_whole(); f = stamp + 1 };                                          /* crash point: value_stamp_load */
  atomic { assert(OTHERS(WRITER) == 0); buffers[BUFFER(f)] = f; assert_whole() };    /* crash point: value_fill */
  atomic { buffers[BUFFER(f) + 1] = f; assert_whole() };                             /* crash point: value_seal */
  atomic { assert(stamp == f - 1); stamp = f; f = 0; assert_whole() }                /* crash point: value_publish */
}

/* A process without a hold. It needs no slot. */
proctype Look() {
  byte looks = LOOKS, n, first, second, last;
  do
  :: looks == 0 -> break
  :: else ->
     n = stamp;                                                                      /* crash point: value_load */
     first = buffers[BUFFER(n)];
     second = buffers[BUFFER(n) + 1];
     atomic {                                                                        /* crash point: value_check */
       if
       :: stamp == n -> assert(first == n && second == n && n >= last); last = n; looks--
       :: else
       fi;
       n = 0; first = 0; second = 0
     }
  od
}
#endif

/* ---- attachment/steal.rs --------------------------------------------------------------------------------- */

#if STEALS > 0
/* found: a process that lives wants to steal. */
inline is_robbed() {
  do
  :: atomic {
       robbable[_pid] = (stealing & ~PID_BIT(_pid)) != 0;
       w = 0;
       d = gate;                                                                     /* crash point: stolen_load */
       v = (TO_BE_WRITER(d) && OWNER(d) != s -> OWNER(d) : NONE)
     };
     if
     :: v != NONE -> atomic { if :: steals[v] :: else -> v = NONE fi }               /* crash point: steal_load */
     :: else
     fi;
     if
     :: v == NONE && (d & WAITING) ->
        used_slots();
        do
        :: q = queued[j];                                                            /* crash point: scan_queue */
           if
           :: j != s && IN_TURN(q) && KIND(q) == W ->
              atomic { if :: steals[j] -> v = j; w = q :: else fi }                  /* crash point: steal_load */
           :: else
           fi;
           atomic { q = 0; j++; if :: v != NONE || j >= USED -> j = 0; break :: else fi }
        od
     :: else
     fi;
     if
     :: v == NONE -> break
     :: else ->
        repair();
        if
        :: repaired -> repaired = 0
        :: else ->
           /* If it is still there, its owner was alive at the probe: else there is nothing left of it, or it was granted. */
           if
           :: w -> found = queued[v] == w                                            /* crash point: stolen_check_queued */
           :: else -> atomic { g = gate; found = DRAINED_BY(g, v) && TENURE(g) == TENURE(d); g = 0 } /* crash point: stolen_check */
           fi;
           if :: found -> break :: else fi
        fi
     fi
  od;
  atomic { assert(!found || robbable[_pid]); robbable[_pid] = 0; v = 0; w = 0; d = 0 }
}

/* Its hold is stolen: ends all holds of the process, the writing one as failed. */
inline give_up() {
  atomic { found = 0; more = 0 };
  if :: drain && upgrade -> cancel_drain() :: else fi;
  do :: count -> release_read() :: else -> break od;
  if :: held -> end = BY_FAILURE; release_exclusive() :: else fi
}

/* Keeps the hold until it is stolen. Only a wake, which is all that a notice is, ends the sleep, while a process wants to steal. */
inline keep_until_robbed() {
  atomic { armed = 1; notices[s] = notices[s] | 1 };                                 /* crash point: ask_notices */
  do
  :: wake[s] = 0;                                                                    /* crash point: take_wake */
     is_robbed();
     if
     :: found -> give_up(); break
     :: !found -> break                                                              /* it is told later, while it waits */
     :: !found ->
        atomic {
#if MORTAL
          asleep[_pid] = s + 1;
#ifdef CALLS
          sleeping[s] = !wake[s];
#endif
          if
          :: AWAKE(s)
          :: !AWAKE(s) && !OTHERS_STEAL -> inside = 1
          fi;
          asleep[_pid] = 0;
#else
          if
          :: wake[s]
          :: !OTHERS_STEAL -> inside = 1
          fi;
#endif
          if :: inside -> inside = 0; break :: else fi
        }
     fi
  od
}

inline request_steal() {
  atomic {
    want = W; steal = 1; steals_left--; stealing = stealing | PID_BIT(_pid);
    robbable[1] = 1; robbable[2] = 1; robbable[3] = 1; robbable[4] = 1;
    ticket = STEAL_TICKET(tickets); tickets++; assert(tickets < 15)                  /* crash point: take_ticket */
  };
  steals[s] = 1                                                                      /* crash point: mark_steal */
}

/* From here on others do not see a steal of this process. */
inline unmark_steal() {
  atomic { steals[s] = 0; steal = 0; steal_ends(_pid) }                              /* crash point: mark_steal */
}
inline mark_steal() {
  if :: steal && !want && !drain -> unmark_steal() :: else fi
}

/* Takes the gate also from a writer that drains, but not from a steal. */
inline claim_for_steal() {
  do
  :: atomic { g = gate; ok = MODE(g) == FREE || MODE(g) == DRAINING && OWNER(g) != s; if :: ok :: else -> break fi }; /* crash point: claim_load */
     if
     :: MODE(g) == DRAINING -> ok = !steals[OWNER(g)]                                /* crash point: steal_load */
     :: else
     fi;
     if
     :: ok && MODE(g) == DRAINING ->
        v = OWNER(g);
        any = in_try[v];                                                             /* crash point: skip_load_in_try */
        w = queued[v]                                                                /* crash point: evict_load */
     :: else
     fi;
     if
     :: ok ->
        atomic {                                                                     /* crash point: claim_gate */
          if
          :: gate == g -> gate = ACQUIRED(g, DRAINING); claims_in_order(); after_steals()
          :: else -> ok = 0
          fi
        };
        if
        :: ok && MODE(g) == DRAINING ->
           if
           :: !any ->
              q2 = W | (GENERATION(reads[v]) << 5) | (EVICTED_TICKET << 7);          /* crash point: evict_generation */
              atomic { if :: queued[v] == w -> queued[v] = q2 :: else fi; q2 = 0 }   /* crash point: evict_queue */
           :: else -> any = 0
           fi;
           wake_up(v); break                                                         /* crash point: evict */
        :: ok && MODE(g) != DRAINING -> break
        :: else -> any = 0
        fi
     :: else -> break
     fi
  od
}
#else
inline mark_steal() { skip }
#endif

/* ---- wait.rs --------------------------------------------------------------------------------------------- */

inline request(mode) {
  atomic { want = mode; ticket = tickets; tickets++; assert(tickets < 15) }          /* crash point: take_ticket */
}

#if SECOND > 0
/* The second request is the first of its process now. */
inline shift() {
  atomic {
    if
    :: !want && !drain && next -> want = next; ticket = nticket; next = 0; nticket = 0; second_comes()
    :: else
    fi
  }
}
#else
inline shift() { skip }
#endif

inline continue_drain() {
  atomic {
    g = gate;                                                                        /* crash point: drain_load */
    assert(!upgrade || OWNED_BY(g, s));
    if
    :: claimed && !DRAINED_BY(g, s) ->
       assert(SKIPS || STEALS > 0);
       claimed = 0; FORGET_NOTICE;
       if :: !upgrade -> drain = 0; want = W :: else fi
    :: else
    fi
  };
  if
  :: drain && !claimed -> claimed = 1; FORGET_NOTICE; claim_upgrade()
  :: else
  fi;
  if
  :: drain && count == 0 ->
     find_other_reader(s);
     if
     :: v == NONE ->
        claim_drained();
        if
        :: ok -> begin_write(); atomic { drain = 0; claimed = 0; upgrade = 0 }
        :: else
        fi
     :: else
     fi;
     v = 0
  :: else
  fi;
  g = 0; ok = 0
}

inline cancel_drain() {
#if STEALS > 0
  if :: steal -> unmark_steal() :: else fi;
#endif
  if
  :: claimed -> abort_claim()
  :: else
  fi;
  atomic { drain = 0; upgrade = 0; claimed = 0 }
}

inline grant_in_turn() {
  ahead_of(want, ticket);
  if
  :: v == NONE ->
     if
     :: want == R -> read_while(!EXCLUDES_READERS(g)); if :: ok -> want = 0 :: else fi
     :: want == U ->
        claim_gate(UPGRADABLE, MODE(g) == FREE);
        if :: ok -> atomic { want = 0; held = U; enter(UPGRADER) } :: else fi
     :: want == W ->
#if STEALS > 0
        if :: steal -> claim_for_steal() :: else -> claim_gate(DRAINING, MODE(g) == FREE) fi;
#else
        claim_gate(DRAINING, MODE(g) == FREE);
#endif
        if :: ok -> atomic { want = 0; drain = 1; claimed = 1 } :: else fi
     fi
  :: else -> ok = 0
  fi;
  atomic { v = 0; w = 0; g = 0 }
}

inline admit_nested() {
#ifdef IN_TURN_READS
  assert(!nested)
#else
  if
#if LIMIT
  :: nested && want == R && count -> read_limited(true); if :: ok -> want = 0 :: else fi
#else
  :: nested && want == R && count -> join_readers(); want = 0
#endif
  :: nested && want == R && !count && held == U -> read_while(!EXCLUDES_READERS(g)); if :: ok -> want = 0 :: else fi
  :: else
  fi;
  nested = 0
#endif
}

#define FOLLOWS ((want == R && SECOND_MODE) * FOLLOWED)
#define OWN_WORD (QUEUED(want, ticket) | FOLLOWS | q2 & 3 << 3)

inline publish_head() {                                                              /* ok: check once more */
  mark_steal();
  if
  :: want && want == published ->
     atomic { q2 = queued[s]; ok = q2 != OWN_WORD };                                 /* crash point: publish_load */
     if :: ok -> atomic { queued[s] = OWN_WORD; closes[s] = 0; FORGET_NOTICE } :: else fi;          /* crash point: publish_back */
     q2 = 0
#if STEALS > 0
  :: !want && !published ->
     atomic { q2 = queued[s]; ok = q2 != 0; q2 = 0 };                                /* crash point: publish_load */
     if :: ok -> queued[s] = 0; wake_next(s); ok = true :: else fi                   /* crash point: publish_back */
#else
  :: !want && !published -> ok = 0
#endif
  :: want && want != published ->
     atomic { published = want; late[s] = IS_STRICT; closes[s] = 0; due = IS_STRICT }; /* crash point: publish_times */
     queued[s] = QUEUED(want, ticket) | FOLLOWS;                                     /* crash point: publish */
     do
     :: g = gate;                                                                    /* crash point: gate_load */
        atomic {                                                                     /* crash point: gate_swap */
          if :: gate == g -> gate = WITH_WAITING(g) | IS_STRICT * CLOSED; closes[s] = IS_STRICT; break :: else fi
        }
     od;                                                                             /* crash point: join_queue */
     g = 0; ok = 0;
     wake_next(s);
     ok = 1
  :: !want && published ->
     atomic { published = 0; queued[s] = 0 };                                        /* crash point: leave_queue */
     wake_next(s)
  fi
}

inline close_queue() {
#ifdef CLOSES
  if
  :: want && due ->
     late[s] = 1;                                                                    /* crash point: mark_overdue */
     do                                                                              /* crash point: close_queue */
     :: atomic { g = gate; ok = !(g & CLOSED) || !closes[s]; if :: ok :: else -> break fi }; /* crash point: gate_load */
        atomic {                                                                     /* crash point: gate_swap */
          if :: gate == g -> gate = NEXT(g) | CLOSED; closes[s] = 1; assert(g & WAITING); break :: else fi
        }
     od;
     atomic { g = 0; ok = 0 }
  :: else
  fi
#else
  skip
#endif
}

/* The mode with which the gate may name this process: else it got the gate without knowing it. */
#define MODE_KNOWN ((held == W) * WRITING + (held == U) * UPGRADABLE + claimed * DRAINING)

inline poll() {
  atomic { a = gate; assert(!OWNED_BY(a, s) || MODE(a) == MODE_KNOWN || held == U && MODE(a) == UPGRADABLE); a = 0 }; /* crash point: poll_load */
  atomic { wake[s] = 0; sees_steals() };                                             /* crash point: take_wake */
  do
  :: if :: drain -> continue_drain() :: else fi;
     if :: want -> grant_in_turn() :: else -> ok = 0 fi;
     if
     :: ok && drain -> ok = 0
#if SECOND > 0
     :: ok && !drain && next -> ok = 0; shift()
#endif
     :: else ->
        ok = 0;
        admit_nested();
#if SECOND > 0
        shift();
#endif
        publish_head();
        if :: ok -> ok = 0 :: else -> break fi
     fi
  od;
  close_queue();
  notify_holders()
}

/* ---- sleeping, and periodic checks ------------------------------------------------------------------------ */

#ifdef IN_TURN_READS
#define ADMITS_NESTED false
#define WAITS_FOR_ITSELF (want == R && (count || held == U))
#else
#define ADMITS_NESTED true
#define WAITS_FOR_ITSELF false
#endif
#define IS_NESTED (ADMITS_NESTED && want == R && (count || (held == U && !drain)))
/* Others of the process release what keeps its own request out. */
#define MUST_LEAVE (WAITS_FOR_ITSELF || count && (want == W || drain && !upgrade))
#define QUIET(p) (!live[p] || MAY_STOP(p) || (asleep[p] && !AWAKE(asleep[p] - 1)))
#define STANDSTILL (QUIET(1) && QUIET(2) && QUIET(3) && QUIET(4) && QUIET(5))

inline nap() {
#ifdef STRICT
  made();
#endif
  steal_made();
  if
  :: !MUST_LEAVE -> sleep()                       /* decided: neither a timer nor a cancellation ends it */
  :: MUST_LEAVE && count -> release_read()
  :: MUST_LEAVE && !count -> release_exclusive()
#ifdef CANCEL
  :: atomic { want == R -> want = 0; left_r(_pid) }; shift()
#if STEALS > 0
  :: want > R -> if :: steal -> unmark_steal() :: else fi; atomic { want = 0; left_x(_pid) }
#else
  :: atomic { want > R -> want = 0; left_x(_pid) }; shift()
#endif
  :: !want -> cancel_drain(); shift()
#endif
#if SECOND > 0
  :: atomic {
       seconds > 0 && want == R && !next ->
       seconds--; next = W; nticket = tickets; tickets++; assert(tickets < 15); second_begins() /* crash point: take_ticket */
     }
#ifdef CANCEL
  :: atomic { next -> next = 0; nticket = 0; left_x(_pid) }
#endif
#endif
#ifdef CLOSE
  :: atomic { published && !due -> due = 1 }
#endif
  :: atomic { checks > 0 -> checks-- }; check()
  fi
}

#if STOPS > 0
#define DONE_CHECKING(p) (!live[p] || stopped[p] || checked[p] == ENOUGH_CHECKS)
#define ALL_CHECKED (DONE_CHECKING(1) && DONE_CHECKING(2) && DONE_CHECKING(3) && DONE_CHECKING(4))
#define HOLDS(v) (lock[v] && stopped[lock[v]] && (COUNT(reads[v]) || OWNED_BY(gate, v) && !TO_BE_WRITER(gate)))
#define STOPPED_HOLDS (HOLDS(0) || HOLDS(1) || HOLDS(N - 1))
#endif

#if MORTAL
inline sleep() {
  do
  :: atomic {
       asleep[_pid] = s + 1;                                                         /* crash point: sleep_load */
#ifdef CALLS
       sleeping[s] = !wake[s];                                                       /* crash point: sleep */
#endif
       if
       :: AWAKE(s) -> asleep[_pid] = 0; break
       :: IS_NESTED -> asleep[_pid] = 0; nested = 1; break
       :: !AWAKE(s) && STANDSTILL && checked[_pid] < ENOUGH_CHECKS -> checked[_pid]++; asleep[_pid] = 0
#if STOPS > 0
       :: !AWAKE(s) && STANDSTILL && ALL_CHECKED && STOPPED_HOLDS -> goto end_behind_a_stopped_holder
#endif
       fi;
#ifdef CALLS
       sleeping[s] = 0
#endif
     };
     check()
  od
}
#else
inline sleep() {
  if
  :: wake[s]                                                                         /* crash point: sleep */
  :: IS_NESTED -> nested = 1
  fi
}
#endif

/* ---- attachment.rs: opening and closing ------------------------------------------------------------------- */

#if OPENS
inline open() {
  atomic { (lock[0] == 0 || lock[1] == 0 || lock[N - 1] == 0) -> live[_pid] = 1 };
  do
  :: phase == 2 * SLOTS -> atomic { phase = 0; ok = 0; break }
  :: else ->
     atomic { s = phase % SLOTS; phase++; ok = 1 };
#if SPARE
     if :: s == SLOTS - 1 -> atomic { g = gate; ok = (g & POISONED) != 0; g = 0 } :: else fi; /* crash point: attach_lock */
#endif
     if
     :: ok -> atomic { ok = lock[s] == 0; if :: ok -> lock[s] = _pid :: else fi }    /* crash point: attach_lock */
     :: else
     fi;
     if
     :: ok ->
        atomic { ok = 0; v = s };
        repair();
        atomic {
          repaired = 0; v = 0;
          g = gate;                                                                  /* crash point: attach_died_load */
          if :: !HAS_DIED(g, s) -> g = 0; phase = 0; ok = 1; break :: else -> g = 0 fi
        };
        lock[s] = 0                                                                  /* crash point: attach_unlock */
     :: else
     fi
  od;
  if
  :: ok ->
     atomic { ok = 0; generation = GENERATION(reads[s]) + 1 };                       /* crash point: attach_load */
     reads[s] = READS(0);                                                            /* crash point: attach_reads */
     queued[s] = 0;                                                                  /* crash point: attach_queued */
#if NOTICES
     notices[s] = 0;
#endif
#if STEALS > 0
     steals[s] = 0;
#endif
     atomic { wake[s] = 0; in_try[s] = 0 };                                          /* crash point: attach_wake */
     reader_bitmap = reader_bitmap & ~READER_BIT(s);                                 /* crash point: attach_unregister */
#if LIMIT
     claim = (ADMITTED_CLAIM(admission) + 1) & 7;                                    /* crash point: attach_claim */
#endif
     vacant[s] = 0;                                                                  /* crash point: attach_pid */
     do
     :: high = high_water;                                                           /* crash point: attach_high_water_load */
        atomic {                                                                     /* crash point: attach_high_water */
          if
          :: high_water == high ->
             high_water = CHANGED(high, (MARK(high) < s + 1 -> s + 1 : MARK(high))); high = 0; break
          :: else
          fi
        }
     od
  :: else -> atomic { nops = 0; live[_pid] = 0; s = 0 }
  fi
}

inline drop() {
  atomic { g = gate; found = !HAS_DIED(g, s); g = 0 };                               /* crash point: close_load */
  if :: found -> atomic { vacant[s] = 1; found = 0 } :: else fi;                     /* crash point: close_pid */
  atomic { lock[s] = 0; closings++ };                                                /* crash point: close_unlock */
  atomic { high = high_water; v = MARK(high) };                                      /* crash point: lower_high_water_load */
  do
  :: v > 0 && vacant[v - 1] -> v--                                                   /* crash point: lower_high_water_scan */
  :: else -> break
  od;
  atomic {                                                                           /* crash point: lower_high_water */
    if :: v < MARK(high) && high_water == high -> high_water = CHANGED(high, v) :: else fi;
    high = 0; v = 0
  }
}
#endif

/* ---- a process -------------------------------------------------------------------------------------------- */

#define ASKS(kind) (asks == kind || asks == 4 || asks == 0 && kind != U)

/* From no hold to a hold, or to a request for it. */
inline acquire() {
  atomic {
    nops--; more = MORE; begins(); sees_steals();
    if
    :: ASKS(R) -> want = R
    :: ASKS(U) -> want = U
    :: ASKS(W) -> want = W
    fi
  };
  do
  :: if
     :: want == R -> read_while(ADMITS_READER(g))
     :: want == U ->
        claim_gate(UPGRADABLE, ADMITS_EXCLUSIVE(g));
        if :: ok -> held = U; enter(UPGRADER) :: else fi;
        g = 0
     :: want == W -> write_now()
     fi;
     if
     :: ok -> atomic { ok = 0; want = 0; break }
     :: else ->
        if
        :: request(want); break
#if STEALS > 0
        :: want == W && steals_left -> request_steal(); break
#endif
#ifdef CANCEL
        :: want = 0; break
#endif
#ifdef TRIES
        :: atomic { checks > 0 -> checks-- };
           clear_blockers(want);
           if :: found -> found = 0 :: else -> break fi
#endif
        fi
     fi
  od
}

/* What a holder does next. With LINGER, process 1 must get what it can share with the others although they stay. */
#ifdef LINGER
#define MAY_RELEASE (_pid == 1 || !live[1])
#else
#define MAY_RELEASE true
#endif
inline act() {
  if
  :: count && MAY_RELEASE -> release_read()
  :: !count && (held == W || MAY_RELEASE) -> release_exclusive()
#if ACTS & FAILED
  :: !count && held == W -> end = BY_FAILURE; release_exclusive()
#endif
#if ACTS & ABANDONED
  :: !count && held == W -> end = BY_LEAVING; release_exclusive(); nops = 0
#endif
#if ACTS & SET
  :: atomic { more && held == W -> more-- }; set_value()
#endif
#if ACTS & IN_PLACE
  :: atomic { more && !held && count == 1 -> more-- }; upgrade_now(); ok = 0
#endif
#if ACTS & NESTED
  :: atomic { more && (!held && count || held == U && !count) -> more-- }; request(R)
#endif
#if ACTS & UPGRADE
  :: atomic { more && held == U && !count -> more--; tickets++; drain = 1; upgrade = 1 } /* crash point: take_ticket */
#endif
#if ACTS & TRY_UPGRADE
  :: atomic { more && held == U && !count -> more-- }; upgrade_now(); ok = 0
#endif
#if ACTS & U_TO_R
#if LIMIT
  :: atomic { more && held == U -> more-- }; upgradable_to_read()
#else
  :: atomic { more && held == U -> more-- }; downgrade_to_read()
#endif
#endif
#if ACTS & W_TO_R
  :: atomic { more && held == W -> more-- }; downgrade_to_read()
#endif
#if ACTS & KEEPS
  :: atomic { more && MAY_KEEP && (held || count == 1) -> more-- }; keep()
#endif
#if ACTS & ROBBED
  :: atomic { more && MAY_KEEP -> more-- }; keep_until_robbed()
#endif
#if ACTS & YIELDS
  :: atomic { more && !count && held -> more-- }; request(held); release_exclusive()
  :: atomic { more && !held && count == 1 -> more-- }; request(R); release_read()
#endif
#if ACTS & W_TO_U
  :: atomic { more && held == W -> more-- }; downgrade_to_upgradable()
#endif
  fi
}

proctype Attachment(byte s; byte nops; byte asks; bit opens) {
  byte want, ticket, published, held, count, generation, more, end;
  bit drain, claimed, upgrade, nested, due;
  byte v, j, l, idle, f, phase, first, first_exclusive, r;
#if SECOND > 0
  byte next, nticket;
#endif
  int g, a, d;
  short q, q2, w;
  bit ok, any, any_late, repaired, found, inside;
#if OPENS
  byte high;
#endif
#if NOTICES
  byte notified;
#endif
#if STEALS > 0
  bit steal, armed;
#endif
#if LIMIT
  byte claim = 1, m, n, other;
#endif

  {
#if OPENS
    if
    :: opens ->
end_to_open:
       open()
    :: else
    fi;
#endif
    do
    :: atomic { !held && !count && !nops -> break }
    :: else ->
       if
       :: held || count -> act()
       :: else -> acquire()
       fi;
       if
       :: want || drain ->
          do
          :: poll();
#if ACTS & ROBBED
             if :: armed && (held || count) -> is_robbed() :: else fi;
             if
             :: found -> give_up()
             :: !found && (want || drain) -> nap()
             :: !found && !want && !drain -> break
             fi
#else
             if :: want || drain -> nap() :: else -> break fi
#endif
          od;
          ticket = 0
       :: else
       fi
    od;
#if defined(DROP) && OPENS
    if :: live[_pid] -> drop() :: else fi;
#endif
#if STOPS > 0
    if
    :: false ->
end_behind_a_stopped_holder:
       false
    :: else
    fi;
#endif
    atomic {
      live[_pid] = 0;
      assert(MODE(gate) == WRITING || ((gate & POISONED) != 0) == poison);
      assert(live[1] || live[2] || live[3] || live[4] || live[5] || deaths || stops || !(gate & (WAITING | CLOSED)))
    }
  }
#if MORTAL
  unless {
    atomic {
      killed[_pid] ->
      s = 0; nops = 0; want = 0; ticket = 0; published = 0; held = 0; count = 0; generation = 0; more = 0; end = 0;
      drain = 0; claimed = 0; upgrade = 0; nested = 0; due = 0; v = 0; j = 0; l = 0; idle = 0; f = 0; phase = 0; first = 0; first_exclusive = 0;
      r = 0; g = 0; a = 0; d = 0; q = 0; q2 = 0; w = 0; ok = 0; any = 0; any_late = 0; repaired = 0; found = 0; inside = 0; asks = 0;
#if OPENS
      high = 0;
#endif
#if NOTICES
      notified = 0;
#endif
#if STEALS > 0
      steal = 0; armed = 0; robbable[_pid] = 0; known_steals[_pid] = 0;
#endif
#if SECOND > 0
      next = 0; nticket = 0;
#endif
#if LIMIT
      claim = 0; m = 0; n = 0; other = 0;
#endif
#if STOPS > 0
end_stopped:
      !stopped[_pid]
#endif
    }
  }
#endif
}

/* ---- the world --------------------------------------------------------------------------------------------- */

#if DEATHS > 0
inline kill(p) {
  atomic {
    deaths < DEATHS && live[p] && !killed[p] ->
    deaths++; live[p] = 0; killed[p] = 1; asleep[p] = 0; anything_happened(); leaves(p); steal_ends(p);
    i = 0;
    do
    :: i < SLOTS ->
       if
       :: lock[i] == p ->
          lock[i] = 0;
          if
          :: holds[p] & WRITER ->
             assert(MODE(gate) == WRITING && OWNER(gate) == i);
             poison = 1; poisoner = i; poisoner_life = GENERATION(reads[i])
          :: else
          fi
       :: else
       fi;
       i++
    :: else -> i = 0; break
    od;
#if LIMIT
    reading[p] = 0; tries[p] = 0;
#endif
    holds[p] = 0
  }
}
#endif

#if STOPS > 0
/* For good, and at any access, but not while it holds the lock: then the others wait. */
inline stop(p) {
  atomic {
    stops < STOPS && live[p] && !killed[p] ->
    stops++; stopped[p] = 1; killed[p] = 1; asleep[p] = 0; anything_happened(); leaves(p); steal_leaves(p)
  }
}
#endif

#if MORTAL
proctype Fate() {
  byte i;
end_fate:
  do
#if DEATHS > 0
  :: kill(1)
  :: kill(2)
#if PROCESSES > 2
  :: kill(3)
#endif
#if PROCESSES > 3
  :: kill(4)
#endif
#endif
#if STOPS > 0
  :: stop(1)
  :: stop(2)
#if PROCESSES > 2
  :: stop(3)
#endif
#endif
  od
}
#endif

init {
  byte i;
  int kinds = KINDS;
  atomic {
    do
    :: i < N -> lock[i] = i + 1; live[i + 1] = 1; run Attachment(i, NOPS, kinds % 10, 0); i++; kinds = kinds / 10
    :: else -> break
    od;
#if SPARE && OPENS
    vacant[N] = 1;
#endif
#if OPENS
    do
    :: i < N + BORN -> run Attachment(0, NOPS, kinds % 10, 1); i++; kinds = kinds / 10
    :: else -> break
    od;
#endif
#if MORTAL
    run Fate();
#endif
#if (ACTS & SET) && LOOKS > 0
    run Look();
#endif
    i = 0; kinds = 0
  }
}

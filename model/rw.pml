/*
 * A reader-writer lock in shared memory whose users may die at any instruction.
 *
 * Every hold lives in exactly one word that names its holder: the gate word G names the one upgradable or
 * write holder, each slot's word R says whether that slot reads. Nothing has to agree with anything else, so
 * recovery repairs single words. Queue, wakes and tickets are hints: exclusion is G and R alone.
 *
 *   G        mode | waiting | closed | poisoned | owner | died | version
 *            waiting   somebody is queued: whoever releases or leaves must run wakeNext
 *            closed    newcomers may not overtake the queue
 *            poisoned  the write holder in slot `died` died inside its hold, and none has ended well since
 *            version   +1 whenever the gate is taken (free -> U/W, U -> W) and whenever somebody enqueues,
 *                      except that an enqueue under mode W leaves it: see `enqueue` and `freeDeadGate`
 *   T        next ticket            fence    last fencing token, stored by the gate's owner only
 *   R[s]     generation | held      truth: slot s reads
 *   Q[s]     generation | ticket | passed | kind      truth: slot s waits
 *   W[s]     version at which slot s's latest write hold began
 *   F[s]     wake word
 *
 *   read     R = held, then look at G: not W (nor closed, for a newcomer) lets in. Otherwise retract and queue.
 *   gate     CAS G from free; a writer then drains (waits until no other R is held), takes its token, stores W.
 *   wait     take a ticket, publish Q, THEN set `waiting`; poll: reset F, be eligible, try, sleep on F.
 *            Eligible: nobody relevant has an earlier ticket (readers look at exclusive waiters only).
 *   leave    Q = 0, then wakeNext.
 *   wakeNext read G, scan Q; wake the eligible; if nobody waits at all, CAS `waiting` and `closed` away from
 *            the very G read before the scan. An enqueue meanwhile has changed the version, so the CAS fails.
 *   pass     a waiter that is eligible but does not come may be marked `passed` by a later one, which then
 *            wakes it: others no longer queue behind it. Its next poll takes the mark away.
 *   recover  read a word, THEN probe that its slot's process is dead, THEN CAS that word. A dead owner's gate
 *            is poisoned exactly if its write hold had begun: W[v] == version(G) under mode W.
 *   reuse    a slot's next process cleans up after the last; it stays away while G says that slot's death
 *            poisoned the lock, because `died` still refers to it.
 *
 * Each step makes one access to shared memory (local work is folded into it), and a process may die between
 * any two. Checked: exclusion; every live process finishes (invalid end states); `poisoned` is right; `died`
 * names the dead; tokens grow; `closed` implies `waiting`, and both are gone in the end. Without crashes no
 * progress depends on a timer: polls happen only where crashes do, and then only at a standstill (and EARLY).
 *
 * Knobs: N slots; NOPS operations each; OPSET 0 read, write; 1 and upgradable, upgrade, read-to-write in
 * place; 2 and write-to-read; MAXCRASH deaths; REBIRTH somebody takes slot 0 again; CANCEL waits and drains
 * may be given up; CLOSE, PASS the two options of the queue; EARLY polls that need no wake and no
 * standstill; OP0, OP1, OP2 one fixed operation per slot.
 */
#ifndef N
#define N 3
#endif
#ifndef NOPS
#define NOPS 1
#endif
#ifndef OPSET
#define OPSET 0
#endif
#ifndef MAXCRASH
#define MAXCRASH 0
#endif
#ifndef EARLY
#define EARLY 0
#endif
#ifndef OP2
#define OP2 0
#endif

/* ---- words ------------------------------------------------------------------------------------------- */

#define FREE       0                              /* gate: bits 0-1 mode */
#define UPGRADABLE 1
#define WRITE      2
#define WAITING    4
#define CLOSED     8
#define POISONED   16
#define MODE(g)    ((g) & 3)
#define OWNER(g)   (((g) >> 5) & 3)               /* slot + 1 */
#define DIED(g)    (((g) >> 7) & 3)               /* slot + 1 */
#define VERSION(g) ((g) >> 9)                     /* short runs: no wrap, asserted in enqueue */

#define FREED(g)      ((g) & ~(3 | 3 << 5))
#define OWNED(g, m)   (FREED(g) | (m) | ((s + 1) << 5))
#define BUMPED(g)     ((g) + (1 << 9))
#define CLEAN(g)      ((g) & ~(POISONED | 3 << 7))
#define KILLED(g, v)  (CLEAN(g) | POISONED | (((v) + 1) << 7))

#define R_KIND 1                                  /* wait word: bits 0-1 kind; mode is kind - 1 */
#define U_KIND 2
#define W_KIND 3
#define PASSED 4
#define KIND(q)   ((q) & 3)
#define TICKET(q) (((q) >> 3) & 15)
#define WAIT_WORD (kind | (t << 3) | (gn << 7))
#define NOBODY    31                              /* later than any ticket */

#define HELD      (gn * 2 + 1)
#define NOT_HELD  (gn * 2)

short G = 0;
byte  T = 1;
byte  fence = 0;
byte  R[N];
short Q[N];
byte  W[N];
bit   F[N];
byte  gen[N];
byte  lock[N];                                    /* the kernel's byte lock: pid that holds the slot, or 0 */
#define DEAD(v) (lock[v] == 0)

/* ---- ghosts: what an all-seeing observer knows --------------------------------------------------------- */

#define PIDS 5
byte cs[PIDS];                                    /* 0 outside, else the kind of hold the process is inside */
bit  marked[PIDS];                                /* its W is stored and its write hold not yet ended */
bit  mustPoison = 0;                              /* somebody died inside a write section */
bit  mayPoison = 0;                               /* ... or between the marker and it, or between it and the release */
byte diedGen = 0;
byte lastToken = 0;
bit  live[PIDS];                                  /* may be killed; neither killed nor done */
bit  killed[PIDS];
bit  asleep[PIDS];
byte ncrash = 0, npolls = 0, early = EARLY;

#define IS(p, k)  (_pid != p && cs[p] == k)
#define OTHERS(k) (IS(1,k) || IS(2,k) || IS(3,k) || IS(4,k))

inline enter(k) {                                 /* g: the gate as the process saw it when it got its hold */
  d_step {
    cs[_pid] = k;
    assert(!OTHERS(W_KIND));
    assert(k == R_KIND || !OTHERS(U_KIND));
    assert(k != W_KIND || !OTHERS(R_KIND));
    assert(!mustPoison || (g & POISONED));
    assert(mayPoison || !(g & POISONED));
    assert(!(g & POISONED) || gen[DIED(g) - 1] == diedGen)
  }
}

inline leave() { cs[_pid] = 0 }

/* ---- atomic operations --------------------------------------------------------------------------------- */

inline cas(word, was, new) {                      /* was follows the word on success */
  atomic { if :: word == was -> was = new; word = was; ok = 1 :: else -> ok = 0 fi }
}

inline wake(v) { F[v] = 1 }

/* ---- queue --------------------------------------------------------------------------------------------- */

#define WAKEABLE(j) ((seen[j] & PASSED) -> KIND(seen[j]) == R_KIND || MODE(a) == FREE \
                   : (KIND(seen[j]) == R_KIND && TICKET(seen[j]) < firstX) || \
                     (KIND(seen[j]) >  R_KIND && TICKET(seen[j]) == firstX && firstX < firstR && MODE(a) == FREE))

inline toNextWakeable() { do :: j < N && !WAKEABLE(j) -> j++ :: else -> break od }

inline scanned() {                                /* seen[j] is fresh */
  any = any || KIND(seen[j]);
  if
  :: seen[j] & PASSED
  :: else ->
     if
     :: KIND(seen[j]) == R_KIND && TICKET(seen[j]) < firstR -> firstR = TICKET(seen[j])
     :: KIND(seen[j]) >  R_KIND && TICKET(seen[j]) < firstX -> firstX = TICKET(seen[j])
     :: else
     fi
  fi;
  j++
}

inline wakeNext() {
  do
  :: atomic {
       a = G; j = 0; firstX = NOBODY; firstR = NOBODY; any = 0;
       if
       :: MODE(a) == WRITE || !(a & WAITING) -> break
       :: else
       fi
     };
#ifdef CLOSE
     if
     :: a & CLOSED -> cas(G, a, a & ~CLOSED)
     :: skip
     fi;
#endif
     do
     :: atomic {
          seen[j] = Q[j];
          scanned();
          if
          :: j == N ->
             if :: any -> j = 0; toNextWakeable() :: else fi;
             break
          :: else
          fi
        }
     od;
     if
     :: any ->
        do
        :: atomic { j < N -> wake(j); j++; toNextWakeable() }
        :: else -> break
        od;
        break
     :: else ->
        cas(G, a, a & ~(WAITING | CLOSED));
        if :: ok -> break :: else fi
     fi
  od;
  atomic { a = 0; j = 0; firstX = 0; firstR = 0; any = 0; ok = 0; seen[0] = 0; seen[1] = 0; seen[N-1] = 0 }
}

inline wakeDrainer() {                            /* after R was given up */
  a = G;
  if :: MODE(a) == WRITE -> d_step { wake(OWNER(a) - 1); a = 0 } :: else -> a = 0 fi
}

/* An enqueue under mode W must not change the version: it would hide that the write hold had begun. It need
   not: wakeNext does nothing under W, and a G read before has another version, for W was taken since. */
inline enqueue() {
  d_step { t = T; T++; assert(T < 16 && VERSION(G) < 60) };
  Q[s] = WAIT_WORD;
  do
  :: g = G;
     if
     :: MODE(g) == WRITE -> cas(G, g, g | WAITING)
     :: else             -> cas(G, g, BUMPED(g) | WAITING)
     fi;
     if :: ok -> break :: else fi
  od
}

inline dequeue() {
  d_step { Q[s] = 0; t = 0 };
  wakeNext()
}

inline lookAhead() {                              /* front: slot + 1 of the earliest to wait for; fq: its word */
  atomic { j = (s == 0 -> 1 : 0) };
  do
  :: atomic {
       a = Q[j];
       if
       :: KIND(a) && !(a & PASSED) && TICKET(a) < t && (kind != R_KIND || KIND(a) != R_KIND) &&
          (front == 0 || TICKET(a) < TICKET(fq)) -> front = j + 1; fq = a
       :: else
       fi;
       a = 0;
       j = j + (j + 1 == s -> 2 : 1);
       if :: j >= N -> j = 0; break :: else fi
     }
  od
}

inline passFront() {                              /* ok: somebody was passed, look again */
  ok = 0;
#ifdef PASS
  if
  :: atomic { g = G; ok = (kind == R_KIND -> MODE(g) != WRITE : MODE(g) == FREE) };
     if
     :: ok -> cas(Q[front - 1], fq, fq | PASSED);
              if :: ok -> wake(front - 1) :: else fi
     :: else
     fi
  :: skip
  fi
#endif
}

inline close() {
  ok = 0;
#ifdef CLOSE
  if
  :: g = G;
     if
     :: !(g & CLOSED) -> cas(G, g, g | CLOSED); assert(!ok || (g & WAITING))
     :: else
     fi
  :: skip
  fi
#endif
}

/* ---- acquiring ----------------------------------------------------------------------------------------- */

inline try() {                                    /* t: has a ticket, so `closed` is not meant for it */
  if
  :: kind == R_KIND ->
     R[s] = HELD;
     d_step { g = G; got = MODE(g) != WRITE && (t || !(g & CLOSED)) };
     if
     :: got
     :: else -> R[s] = NOT_HELD; wakeDrainer()
     fi
  :: else ->
     do
     :: atomic { g = G; ok = MODE(g) == FREE && (t || !(g & CLOSED)) };
        if
        :: ok -> cas(G, g, BUMPED(OWNED(g, kind - 1)));
                 if :: ok -> got = 1; break :: else fi
        :: else -> break
        fi
     od
  fi
}

inline acquire() {                                /* got, and g as seen then; a writer has still to drain */
  got = 0;
  try();
  if
  :: got
  :: else ->
     enqueue();
     do
     :: F[s] = 0;
#ifdef PASS
        if :: Q[s] & PASSED -> Q[s] = WAIT_WORD :: else fi;
#endif
        lookAhead();
        if
        :: front -> passFront()
        :: else  -> close(); try(); ok = 0
        fi;
        atomic { front = 0; fq = 0 };
        if
        :: got -> break
        :: else ->
           if
           :: ok
           :: !ok -> g = 0; nap()
#ifdef CANCEL
           :: !ok -> break
#endif
           fi
        fi
     od;
     dequeue()
  fi
}

inline drain() {                                  /* drained = 0: given up */
  d_step { d = 0; drained = 1 };
  do
  :: d == N -> break
  :: d < N && d == s -> d++
  :: d < N && d != s ->
     F[s] = 0;
     if
     :: atomic { !(R[d] & 1) -> d++ }
     :: else ->
        if
        :: nap()
#ifdef CANCEL
        :: drained = 0; break
#endif
        fi
     fi
  od;
  d = 0
}

inline beginWrite() {                             /* drained: token, marker, in */
  f = fence;
  fence = f + 1;
  d_step { W[s] = VERSION(g); marked[_pid] = 1 };
  enter(W_KIND);
  d_step { assert(f + 1 > lastToken); lastToken = f + 1; f = 0 }
}

/* ---- releasing ----------------------------------------------------------------------------------------- */

inline setGate(new) {                             /* by its owner; others change only hints meanwhile */
  do
  :: g = G;
     cas(G, g, new);
     if :: ok -> break :: else fi
  od
}

inline endWrite(new) {
  do
  :: g = G;
     atomic {
       cas(G, g, CLEAN(new));
       if :: ok -> marked[_pid] = 0; mustPoison = 0; mayPoison = 0; diedGen = 0 :: else fi
     };
     if :: ok -> break :: else fi
  od
}

inline releaseRead() {
  R[s] = NOT_HELD;
  wakeDrainer()
}

/* ---- death and what comes after it --------------------------------------------------------------------- */

inline freeDeadGate(v) {                          /* slot v's next process needs no probe; ok = 0: G changed, try again */
  a = G;
  if
  :: MODE(a) != FREE && OWNER(a) == v + 1 && (v == s || DEAD(v)) ->
     atomic {
       if
       :: MODE(a) == WRITE && W[v] == VERSION(a) -> b = FREED(KILLED(a, v))
       :: else                                   -> b = FREED(a)
       fi
     };
     cas(G, a, b);
     b = 0
  :: else -> ok = 1
  fi
}

inline recover() {
  do
  :: v == N -> break
  :: v < N && v == s -> v++
  :: v < N && v != s ->
     a = Q[v];
     if :: KIND(a) && DEAD(v) -> cas(Q[v], a, 0) :: else fi;
     a = R[v];
     if :: (a & 1) && DEAD(v) -> cas(R[v], a, a - 1) :: else fi;
     freeDeadGate(v);
     v++
  od;
  atomic { v = 0; a = 0; ok = 0 };
  wakeNext();
  wakeDrainer()
}

#define QUIET(p, i) (!live[p] || (asleep[p] && !F[i]))
#ifdef REBIRTH
#define QUIET_TOO QUIET(N + 1, 0)
#else
#define QUIET_TOO true
#endif
#define STANDSTILL (QUIET(1, 0) && QUIET(2, 1) && QUIET(N, N - 1) && QUIET_TOO)

#if MAXCRASH > 0
inline nap() {
  atomic {
    asleep[_pid] = 1;
    if
    :: F[s]                  -> ok = 0
    :: !F[s] && early > 0    -> ok = 1; early--
    :: !F[s] && STANDSTILL   -> ok = 1; npolls++; assert(npolls < 6)
    fi;
    asleep[_pid] = 0
  };
  if
  :: ok -> recover()
  :: else
  fi
}
#else
inline nap() {
  if
  :: F[s]
  :: atomic { early > 0 -> early-- }
  fi
}
#endif

inline attach() {                                 /* take a slot whose process died */
  Q[s] = 0;
  do
  :: freeDeadGate(s);
     if :: ok -> break :: else fi
  od;
  atomic { a = G; ok = (a & POISONED) && DIED(a) == s + 1 };
  if
  :: ok -> d_step { nops = 0; lock[s] = 0; live[_pid] = 0 }
  :: else ->
     gn = gen[s] + 1;
     gen[s] = gn;
     R[s] = NOT_HELD
  fi;
  a = 0;
  wakeNext();
  wakeDrainer()
}

/* ---- a process ----------------------------------------------------------------------------------------- */

proctype P(byte s; byte nops; bit reborn) {
  byte op, kind, t, gn, j, v, d, f, front, firstX, firstR;
  short g, a, b, fq, seen[N];
  bit got, ok, any, drained;

  {
#ifdef REBIRTH
    if
    :: reborn ->
end_r: atomic { ncrash > 0 && lock[s] == 0 -> lock[s] = _pid; live[_pid] = 1 };
       attach()
    :: else
    fi;
#endif
    do
    :: nops > 0 ->
       nops--;
#ifdef OP0
       op = (s == 0 -> OP0 : (s == 1 -> OP1 : OP2));
#else
       if
       :: op = 0
       :: op = 1
#if OPSET >= 1
       :: op = 2
       :: op = 3
#endif
       fi;
#endif
       kind = (op == 1 -> W_KIND : (op == 2 -> U_KIND : R_KIND));
       acquire();
       if
       :: !got

       :: got && op == 0 ->                       /* read */
          enter(R_KIND);
          leave();
          releaseRead()

       :: got && op == 1 ->                       /* write, perhaps go on as a reader */
          drain();
          if
          :: drained ->
             beginWrite();
             if
             :: leave();
                endWrite(FREED(g));
                wakeNext()
#if OPSET >= 2
             :: R[s] = HELD;
                cs[_pid] = R_KIND;
                endWrite(FREED(g));
                wakeNext();
                leave();
                releaseRead()
#endif
             fi
          :: else -> setGate(FREED(g)); wakeNext()
          fi
#if OPSET >= 1
       :: got && op == 2 ->                       /* upgradable, perhaps upgrade and go back */
          enter(U_KIND);
          if
          :: skip
          :: setGate(BUMPED(OWNED(g, WRITE)));
             drain();
             if
             :: drained ->
                beginWrite();
                cs[_pid] = U_KIND;
                endWrite(OWNED(g, UPGRADABLE))
             :: else -> setGate(OWNED(g, UPGRADABLE))
             fi;
             wakeNext()
          fi;
          leave();
          setGate(FREED(g));
          wakeNext()

       :: got && op == 3 ->                       /* read, perhaps write in place and go back */
          enter(R_KIND);
          g = G;
          if
          :: MODE(g) == FREE ->
             cas(G, g, BUMPED(OWNED(g, WRITE)));
             if
             :: ok ->
                drain();
                if
                :: drained ->
                   beginWrite();
                   cs[_pid] = R_KIND;
                   endWrite(FREED(g))
                :: else -> setGate(FREED(g))
                fi;
                wakeNext()
             :: else
             fi
          :: else
          fi;
          leave();
          releaseRead()
#endif
       fi;
       d_step { op = 0; kind = 0; got = 0; ok = 0; drained = 0; g = 0 }
    :: else -> break
    od;
    atomic {                                      /* done, still attached: its death would change nothing */
      live[_pid] = 0;
      assert(live[1] || live[2] || live[3] || live[4] || ncrash > 0 || !(G & (WAITING | CLOSED)))
    }
  }
#if MAXCRASH > 0
  unless {
    atomic { killed[_pid] ->
             nops = 0; op = 0; kind = 0; t = 0; gn = 0; j = 0; v = 0; d = 0; f = 0; front = 0; firstX = 0;
             firstR = 0; g = 0; a = 0; b = 0; fq = 0; seen[0] = 0; seen[1] = 0; seen[N-1] = 0; got = 0; ok = 0;
             any = 0; drained = 0 }
  }
#endif
}

/* ---- the world ----------------------------------------------------------------------------------------- */

inline kill(p) {
  atomic {
    ncrash < MAXCRASH && live[p] ->
    live[p] = 0; killed[p] = 1; asleep[p] = 0; ncrash++; npolls = 0;
    i = 0;
    do
    :: i < N && lock[i] == p ->
       lock[i] = 0;
       if :: cs[p] == W_KIND || marked[p] -> mayPoison = 1; diedGen = gen[i] :: else fi;
       i++
    :: i < N && lock[i] != p -> i++
    :: else -> break
    od;
    if :: cs[p] == W_KIND -> mustPoison = 1 :: else fi;
    cs[p] = 0; marked[p] = 0; i = 0
  }
}

#if MAXCRASH > 0
proctype Crasher() {
  byte i;
end_crasher:
  do
  :: kill(1)
  :: kill(2)
#if N > 2 || defined(REBIRTH)
  :: kill(3)
#endif
#if N > 2 && defined(REBIRTH)
  :: kill(4)
#endif
  od
}
#endif

init {
  byte i;
  atomic {
    do
    :: i < N -> lock[i] = i + 1; live[i + 1] = 1; run P(i, NOPS, 0); i++
    :: else -> break
    od;
#ifdef REBIRTH
    run P(0, NOPS, 1);
#endif
#if MAXCRASH > 0
    run Crasher();
#else
    if :: early = EARLY :: early = 0 fi;
#endif
    i = 0
  }
}

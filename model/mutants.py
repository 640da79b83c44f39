#!/usr/bin/env python3
"""The model can fail: each mutant breaks one rule of rw.pml and must be caught by the configuration beside it."""
import os, subprocess, sys

here = os.path.dirname(os.path.abspath(__file__))
source = open(os.path.join(here, "rw.pml")).read()
ALL = "-DCANCEL -DCLOSE -DPASS"

MUTANTS = [
    # name, what is broken, [(old, new)], configuration
    ("reader-no-wake", "a reader's release does not wake the drainer",
     [("  R[s] = NOT_HELD;\n  wakeDrainer()\n}", "  R[s] = NOT_HELD\n}")], "-DN=2"),
    ("retract-no-wake", "a retracting reader does not wake the drainer",
     [(":: else -> R[s] = NOT_HELD; wakeDrainer()", ":: else -> R[s] = NOT_HELD")], "-DN=2"),
    ("leave-no-wake", "who leaves the queue does not run wakeNext",
     [("  d_step { Q[s] = 0; t = 0 };\n  wakeNext()", "  d_step { Q[s] = 0; t = 0 }")],
     "-DN=3 -DOP0=1 -DOP1=0 -DOP2=1"),
    ("waiting-first", "`waiting` is set before Q is published",
     [("  d_step { t = T; T++; assert(T < 16 && VERSION(G) < 60) };\n  Q[s] = WAIT_WORD;", "  d_step { t = T; T++; assert(T < 16 && VERSION(G) < 60) };"),
      (":: ok -> break :: else fi\n  od\n}\n\ninline dequeue", ":: ok -> break :: else fi\n  od;\n  Q[s] = WAIT_WORD\n}\n\ninline dequeue")],
     "-DN=3 -DOP0=1 -DOP1=1 -DOP2=1"),
    ("no-bump", "an enqueue does not change the version",
     [("cas(G, g, BUMPED(g) | WAITING)", "cas(G, g, g | WAITING)")], "-DN=3 -DOPSET=1 -DOP0=1 -DOP1=1 -DOP2=2 -DCANCEL"),
    ("bump-under-W", "an enqueue changes the version under mode W too (the brief's protocol)",
     [(":: MODE(g) == WRITE -> cas(G, g, g | WAITING)", ":: false -> skip")], "-DN=2 -DMAXCRASH=1"),
    ("fresh-G", "wakeNext clears `waiting` from a G read after the scan",
     [("        cas(G, a, a & ~(WAITING | CLOSED));", "        a = G; cas(G, a, a & ~(WAITING | CLOSED));")],
     "-DN=3 -DOP0=1 -DOP1=1 -DOP2=1"),
    ("marker-ignored", "every dead owner in mode W poisons",
     [("MODE(a) == WRITE && W[v] == VERSION(a) ->", "MODE(a) == WRITE ->")], "-DN=2 -DMAXCRASH=1"),
    ("marker-late", "the marker is stored after entering",
     [("  d_step { W[s] = VERSION(g); marked[_pid] = 1 };\n  enter(W_KIND);", "  enter(W_KIND);\n  d_step { W[s] = VERSION(g); marked[_pid] = 1 };")],
     "-DN=2 -DMAXCRASH=1"),
    ("marker-early", "the marker is stored before the drain",
     [("  d_step { d = 0; drained = 1 };\n  do\n  :: d == N", "  W[s] = VERSION(g);\n  d_step { d = 0; drained = 1 };\n  do\n  :: d == N")],
     "-DN=2 -DMAXCRASH=1"),
    ("cancel-cleans", "a writer that stops draining clears poisoned",
     [(":: else -> setGate(FREED(g)); wakeNext()", ":: else -> setGate(CLEAN(FREED(g))); wakeNext()")],
     "-DN=3 -DMAXCRASH=1 -DCANCEL -DOP0=1 -DOP1=1 -DOP2=0"),
    ("probe-first", "the gate is read after the probe",
     [("  a = G;\n  if\n  :: MODE(a) != FREE && OWNER(a) == v + 1 && (v == s || DEAD(v)) ->",
       "  ok = (v == s || DEAD(v));\n  a = G;\n  if\n  :: MODE(a) != FREE && OWNER(a) == v + 1 && ok ->")],
     "-DN=2 -DMAXCRASH=1 -DREBIRTH -DEARLY=1 -DOP0=1 -DOP1=1"),
    ("probe-first-R", "R is read after the probe",
     [("     a = R[v];\n     if :: (a & 1) && DEAD(v) ->", "     ok = DEAD(v);\n     a = R[v];\n     if :: (a & 1) && ok ->")],
     "-DN=2 -DMAXCRASH=1 -DREBIRTH -DEARLY=1"),
    ("attach-once", "a slot's next process tries only once to free its predecessor's gate",
     [("  :: freeDeadGate(s);\n     if :: ok -> break :: else fi", "  :: freeDeadGate(s); break")],
     "-DN=2 -DMAXCRASH=1 -DREBIRTH"),
    ("reuse-died", "a slot is used again though `died` names it",
     [("ok = (a & POISONED) && DIED(a) == s + 1 };", "ok = 0 };")], "-DN=2 -DMAXCRASH=1 -DREBIRTH"),
    ("passed-nobody", "`waiting` is cleared though a passed waiter is left",
     [("any = any || KIND(seen[j]);", "any = any || (KIND(seen[j]) && !(seen[j] & PASSED));")],
     "-DN=3 -DOPSET=1 -DPASS -DOP0=2 -DOP1=1 -DOP2=0"),
    ("passed-asleep", "neither who passes somebody nor wakeNext wakes the passed (either alone suffices)",
     [("#define WAKEABLE(j) ((seen[j] & PASSED) -> KIND(seen[j]) == R_KIND || MODE(a) == FREE",
       "#define WAKEABLE(j) ((seen[j] & PASSED) -> false"),
      (":: ok -> wake(front - 1) :: else fi\n", ":: ok :: else fi\n")],
     "-DN=3 -DOPSET=1 -DPASS -DOP0=2 -DOP1=1 -DOP2=0"),
    ("fence-outside", "the token is taken before the gate is owned",
     [("  got = 0;\n  try();", "  got = 0;\n  f = fence;\n  try();"), ("  f = fence;\n  fence = f + 1;", "  fence = f + 1;")], "-DN=2"),
    ("no-retract", "a reader looks at G before it stores R",
     [("     R[s] = HELD;\n     d_step { g = G;", "     g = G;\n     R[s] = HELD;\n     d_step {")], "-DN=2"),
]

failed = False
for name, what, edits, knobs in MUTANTS:
    if len(sys.argv) > 1 and name not in sys.argv[1:]:
        continue
    text = source
    for old, new in edits:
        assert text.count(old) == 1, (name, text.count(old), old)
        text = text.replace(old, new)
    os.makedirs(here + "/out", exist_ok=True)
    path = "%s/out/mutant-%s.pml" % (here, name)
    open(path, "w").write(text)
    env = dict(os.environ, MODEL=path)
    line = subprocess.run([here + "/check.sh", "mutant-" + name] + knobs.split(), env=env, capture_output=True, text=True).stdout.strip()
    caught = "FAILS" in line
    failed |= not caught
    print("%-10s %s\n           %s" % ("caught" if caught else "SURVIVES" if line.endswith(" ok") else "UNDECIDED", what, " ".join(line.split())), flush=True)
sys.exit(failed)

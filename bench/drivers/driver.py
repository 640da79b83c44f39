"""python driver.py <system> <path-prefix>: a process that uses one lock as the commands of the benchmark say.

It opens the lock of `system` that belongs to `path-prefix`, and prints a line of JSON. Then it answers each line of its
input with one line. protocol.md describes the commands and the answers.
"""

import ctypes
import importlib.metadata
import json
import math
import random
import signal
import sys
import time
from collections import Counter

import inheritance

now = time.monotonic_ns

# A batch grows until it takes this long, in ns, so that reading the clock costs nothing in
# comparison.
BATCH = 200_000
# A sleeping process may wake this late, in ns.
LATE = 200_000


# ---- the locks: how to acquire and release each mode


def prwlock():
    import prwlock

    lock = prwlock.RWLock()
    return {"read": (lock.acquire_read, lock.release), "write": (lock.acquire_write, lock.release)}


def multiprocessing_utils():
    import multiprocessing_utils

    lock = multiprocessing_utils.SharedLock()
    return {"read": (lock.acquire, lock.release), "write": (lambda: lock.acquire(exclusive=True), lock.release)}


def fasteners(prefix):
    import fasteners

    lock = fasteners.InterProcessReaderWriterLock(prefix)
    return {
        "read": (lock.acquire_read_lock, lock.release_read_lock),
        "write": (lock.acquire_write_lock, lock.release_write_lock),
    }


# The locks that processes can only inherit from a common ancestor.
INHERITED = {"prwlock": prwlock, "multiprocessing_utils": multiprocessing_utils}
BY_PATH = {"fasteners": fasteners}


# ---- the workloads


def pair(lock, mode, ns, at=None):
    acquire, release = lock[mode]
    start = looked = begin(at)
    pairs, batch = 0, 1
    while True:
        for _ in range(batch):
            acquire()
            release()
        pairs += batch
        elapsed = (at_end := now()) - start
        if elapsed >= ns:
            return {"pairs": pairs, "ns": elapsed}
        if at_end - looked < BATCH:
            batch *= 2
        looked = at_end


def mix(lock, readShare, body, ns, at):
    draw = random.random
    waits = {"read": Histogram(), "write": Histogram()}
    start = begin(at)
    called = now()
    while called - start < ns:
        mode = "read" if draw() < readShare else "write"
        acquire, release = lock[mode]
        acquire()
        held = stay(body)
        release()
        waits[mode].add(held - called)
        called = now()
    return {
        "reads": waits["read"].count(),
        "writes": waits["write"].count(),
        "ns": called - start,
        "waits": {mode: histogram.summary() for mode, histogram in waits.items()},
    }


def handoff(lock, times, hold, pause):
    acquire, release = lock["write"]
    holds = []
    for _ in range(times):
        asked = now()
        acquire()
        start = stay(hold)
        holds.append((asked, start, now()))
        release()
        time.sleep(pause / 1e9)  # meanwhile the other process acquires it
    return {"holds": holds}


def begin(at):
    """Waits for the common start, if there is one: sleeps, and spins at the end."""
    if at is None:
        return now()
    time.sleep(max(0, at - now() - LATE) / 1e9)
    spin_until(at)
    return at


def stay(ns):
    """Stays in the hold for this many ns. Returns its start."""
    start = now()
    if ns > 0:
        spin_until(start + ns)
    return start


def spin_until(end):
    while now() < end:
        pass


class Histogram:
    """A histogram of durations, with eight buckets for each doubling."""

    def __init__(self):
        self.counts = Counter()
        self.max = 0

    def add(self, ns):
        self.counts[int(8 * math.log2(ns + 1))] += 1
        if ns > self.max:
            self.max = ns

    def count(self):
        return sum(self.counts.values())

    def summary(self):
        return {"buckets": sorted(self.counts.items()), "max": self.max}


# ---- the driver


class Driver:
    def __init__(self, lock):
        self.lock = lock
        self.held = None
        self.memory = []

    def carry_out(self, do, **arguments):
        match do:
            case "pair":
                return pair(self.free(), **arguments)
            case "mix":
                return mix(self.free(), **arguments)
            case "handoff":
                return handoff(self.free(), **arguments)
            case "hold" | "acquire" | "release" | "grow" | "ping":
                return getattr(self, do)(**arguments)
        raise ValueError(f"there is no command {do!r}")

    def hold(self, mode):
        acquire, release = self.free()[mode]
        acquire()
        start = now()
        self.held = release
        return {"start": start}

    def release(self):
        if self.held is None:
            raise ValueError("nothing is held")
        release, self.held = self.held, None
        released = now()
        release()
        return {"released": released}

    def acquire(self, mode):
        acquire, release = self.free()[mode]
        acquire()
        start = now()
        release()
        return {"start": start}

    def grow(self, mb):
        self.memory.append(b"\1" * (mb << 20))  # not zero: the kernel allocates zeroed pages only when they are written
        return {"grown": mb}

    def ping(self):
        return {"now": now()}

    def free(self):
        """The lock, unless this process holds it: most locks would block on themselves."""
        if self.held is not None:
            raise ValueError("this driver holds the lock already")
        return self.lock


def serve(system, lock):
    driver = Driver(lock)
    say({"ready": True, "system": system, "version": importlib.metadata.version(system)})
    for line in sys.stdin:
        try:
            answer = driver.carry_out(**json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        say(answer)


def say(answer):
    print(json.dumps(answer), flush=True)


def main(system, prefix):
    # The benchmark may be killed while this process waits for a lock that is never released.
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if system in INHERITED:
        inheritance.join(f"{system} {prefix}", INHERITED[system], lambda lock: serve(system, lock))
    elif system in BY_PATH:
        serve(system, BY_PATH[system](prefix))
    else:
        sys.exit(f"there is no system {system!r}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: driver.py <system> <path-prefix>")
    main(*sys.argv[1:])

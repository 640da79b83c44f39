// Each mutant breaks one rule of the protocol. The search beside it must find that; `quick` ones run with every change.

/** @type {(import('../../model/search.js').Search & { breaks: string, quick?: boolean, survives?: string })[]} */
export const mutants = [
  {
    name: 'no second look',
    breaks: 'who has published a request does not look once more',
    edits: [['     wake_next(s);\n     ok = 1\n', '     wake_next(s)\n']],
    bounds: 'KINDS=33',
    quick: true,
  },
  {
    name: 'waiting first',
    breaks: '`waiting` is set before the request is published',
    edits: [
      ['     queued[s] = QUEUED(want, ticket);  ', '     skip;  '],
      [
        '     change_gate(true, WITH_WAITING(g));',
        '     change_gate(true, WITH_WAITING(g));\n     queued[s] = QUEUED(want, ticket);',
      ],
    ],
    bounds: 'N=3 KINDS=333',
  },
  {
    name: 'no sequence',
    breaks: 'joining the queue does not change the gate word while `waiting` is set',
    edits: [
      ['#define WITH_WAITING(g)     (NEXT(g) | WAITING)', '#define WITH_WAITING(g)     ((g) | WAITING)'],
    ],
    bounds: 'N=3 KINDS=233 CANCEL',
  },
  {
    name: 'cleared from a later gate',
    breaks: 'the queue is cleared from a gate that was read after the scan',
    edits: [
      [
        '          if :: gate == a -> gate = WITHOUT_QUEUE(a);',
        '          a = gate; if :: gate == a -> gate = WITHOUT_QUEUE(a);',
      ],
    ],
    bounds: 'N=3 KINDS=333',
  },
  {
    name: 'cleared but closed',
    breaks: 'clearing the queue leaves it closed',
    edits: [
      [
        '#define WITHOUT_QUEUE(g)    ((g) & ~(WAITING | CLOSED))',
        '#define WITHOUT_QUEUE(g)    ((g) & ~WAITING)',
      ],
    ],
    bounds: 'KINDS=33 CLOSE',
  },
  {
    name: 'passed is nobody',
    breaks: 'the queue is cleared though somebody who was passed over is in it',
    edits: [['          any = any || KIND(q);', '          any = any || IN_TURN(q);']],
    bounds: 'N=3 KINDS=332 LOOKS=1',
  },
  {
    name: 'no wake by the last reader',
    breaks: 'a reader that leaves does not wake the writer',
    edits: [
      [
        'reads[s] = READS(0) };             /* crash point: release_read */\n     g = gate;                                                                       /* crash point: release_load */\n     wake_writer(g);',
        'reads[s] = READS(0) };             /* crash point: release_read */\n',
      ],
    ],
    bounds: 'KINDS=31',
    quick: true,
  },
  {
    name: 'no wake by who retracts',
    breaks: 'a reader that takes its mark back does not wake the writer who saw it',
    edits: [['        if :: !OWNED_BY(g, s) -> wake_writer(g) :: else fi;\n', '']],
    bounds: 'KINDS=31',
  },
  {
    name: 'no wake by a release',
    breaks: 'a release does not wake the next',
    edits: [
      [
        '          held = 0; end = WHOLE; holds[_pid] = (count -> READER : 0);\n          break\n       :: else\n       fi\n     }\n  od;\n  if :: g & WAITING -> g = 0; wake_next(s) :: else -> g = 0 fi',
        '          held = 0; end = WHOLE; holds[_pid] = (count -> READER : 0);\n          break\n       :: else\n       fi\n     }\n  od;\n  g = 0',
      ],
    ],
    bounds: 'KINDS=33',
  },
  {
    name: 'no wake by a downgrade',
    breaks: 'from write to upgradable, the readers are not woken',
    edits: [
      [
        '          held = U;\n          break\n       :: else\n       fi\n     }\n  od;\n  if :: g & WAITING -> g = 0; wake_next(s) :: else -> g = 0 fi',
        '          held = U;\n          break\n       :: else\n       fi\n     }\n  od;\n  g = 0',
      ],
    ],
    bounds: 'KINDS=31 ACTS=64 LINGER',
  },
  {
    name: 'no wake by who gives up',
    breaks: 'who leaves the queue does not wake the next',
    edits: [
      ['/* crash point: leave_queue */\n     wake_next(s)', '/* crash point: leave_queue */\n     skip'],
    ],
    bounds: 'N=3 KINDS=313 CANCEL',
  },
  {
    name: 'no wake by who stops draining',
    breaks: 'a writer to be that gives the gate back does not wake the next',
    edits: [
      [
        '/* crash point: abort_drain */\n  g = 0; ok = 0;\n  wake_next(s)',
        '/* crash point: abort_drain */\n  g = 0; ok = 0',
      ],
    ],
    bounds: 'N=3 KINDS=313 CANCEL',
  },
  {
    name: 'the passed are not woken',
    breaks: 'neither who passes somebody over wakes him, nor wake_next',
    edits: [
      [
        '     if :: ok -> ok = 0; wake_up(v); wake_next(NONE) :: else fi',
        '     if :: ok -> ok = 0; wake_next(NONE) :: else fi',
      ],
      ['#define ITS_TURN ((q & SKIPPED) || KIND(q) == R', '#define ITS_TURN (!(q & SKIPPED) && KIND(q) == R'],
      [
        '                  KIND(q) > R && MODE(a)',
        '                  !(q & SKIPPED) && KIND(q) > R && MODE(a)',
      ],
    ],
    bounds: 'N=3 KINDS=333 LOOKS=1',
  },
  {
    name: 'the passed drainer is not woken',
    breaks: 'who takes the gate from a drainer does not wake him',
    edits: [
      [
        '           :: ok -> ok = 0; wake_up(OWNER(g)); wake_next(NONE)',
        '           :: ok -> ok = 0; wake_next(NONE)',
      ],
    ],
    bounds: 'N=3 KINDS=313 LOOKS=1',
  },
  {
    name: 'the passed drainer waits on',
    breaks: 'a drainer does not notice that the gate was taken from him',
    edits: [['    :: claimed && !DRAINED_BY(g, s) ->\n', '    :: false ->\n']],
    bounds: 'NOPS=2 KINDS=33 LOOKS=1',
  },
  {
    name: 'the passed upgrader waits on',
    breaks: 'an upgrader that was passed over, by somebody who then stopped, does not look for itself',
    edits: [['ok = 0; found = MODE(g) == UPGRADABLE ', 'ok = 0 ']],
    bounds: 'KINDS=42 ACTS=12 STOPS=1 LOOKS=1',
  },
  {
    name: 'closed in silence',
    breaks: 'who closes the queue does not change the gate where it is closed already',
    edits: [
      [
        '          if :: gate == g -> gate = NEXT(g) | CLOSED;',
        '          if :: gate == g -> gate = g | CLOSED;',
      ],
    ],
    bounds: 'N=3 KINDS=333 CLOSE',
  },
  {
    name: 'closed, then marked',
    breaks: 'who closes the queue says only afterwards that his time has come',
    edits: [
      [
        '     late[s] = 1;                                                                    /* crash point: mark_overdue */\n',
        '',
      ],
      [
        '     od;\n     atomic { g = 0; ok = 0 }\n  :: else\n  fi\n#else',
        '     od;\n     late[s] = 1;\n     atomic { g = 0; ok = 0 }\n  :: else\n  fi\n#else',
      ],
    ],
    bounds: 'N=3 KINDS=333 CLOSE',
  },
  {
    name: 'no tenure',
    breaks: 'the gate is taken from a drainer without a look whether it is still his, and drained',
    edits: [['ok = TENURE(g) == TENURE(d); d = 0', 'ok = 1; d = 0']],
    bounds: 'NOPS=2 KINDS=33 LOOKS=1',
    quick: true,
  },
  {
    name: 'drained by a store',
    breaks: 'from draining to writing goes a plain store, not a compare-and-swap',
    edits: [
      [
        'inline claim_drained() { change_gate(DRAINED_BY(g, s), TURNED(g, WRITING)) }',
        'inline claim_drained() { atomic { g = gate; ok = DRAINED_BY(g, s) }; if :: ok -> gate = TURNED(g, WRITING) :: else fi }',
      ],
    ],
    bounds: 'NOPS=2 KINDS=33 LOOKS=1',
  },
  {
    name: 'given back unchecked',
    breaks: 'an upgrader that gives up frees the gate also when it was passed over, and is upgradable again',
    edits: [
      [
        'change_gate(OWNED_BY(g, s) && EXCLUDES_READERS(g), GIVEN_BACK(g))',
        'change_gate(OWNED_BY(g, s), GIVEN_BACK(g))',
      ],
    ],
    bounds: 'N=2 KINDS=42 ACTS=4 CANCEL LOOKS=1',
    quick: true,
  },
  {
    name: 'an upgrader frees the gate',
    breaks: 'a passed upgrader loses its upgradable hold',
    edits: [
      [
        '#define GIVEN_BACK(g)       (FREED(g) | (MODE(g) == UPGRADING) * (UPGRADABLE | OWNER(g) << 6))',
        '#define GIVEN_BACK(g)       FREED(g)',
      ],
    ],
    bounds: 'N=2 KINDS=42 ACTS=4 CANCEL LOOKS=1',
  },
  {
    name: 'reader looks first',
    breaks: 'a reader looks at the gate before it stores its mark',
    edits: [
      [
        '     reads[s] = READS(1);                                                            /* crash point: read_publish */\n',
        '',
      ],
      [
        '     atomic { g = gate; ok = !(against); g = 0 };                                    /* crash point: read_load */\n     if\n     :: ok ->\n',
        '     atomic { g = gate; ok = !(against); g = 0 };                                    /* crash point: read_load */\n     reads[s] = READS(1);\n     if\n     :: ok ->\n',
      ],
    ],
    bounds: 'KINDS=31',
  },
  {
    name: 'one look at the readers',
    breaks: 'a try does not look at the readers again once it drains',
    edits: [['inline write_drained() {\n  find_other_reader(s);', 'inline write_drained() {\n  v = NONE;']],
    bounds: 'KINDS=31 NOPS=2',
  },
  {
    name: 'writing at once',
    breaks: 'the gate says "writing" before anybody has looked who reads',
    edits: [['     :: l -> l = 0; write_with_others_registered(); break', '     :: false -> break']],
    bounds: 'KINDS=31',
    quick: true,
  },
  {
    name: 'listed in silence',
    breaks: 'who lists its slot does not change the gate',
    edits: [
      ['                :: gate == g -> gate = NEXT(g); g = 0;', '                :: gate == g -> g = 0;'],
    ],
    bounds: 'KINDS=31',
    quick: true,
  },
  {
    name: 'listed by another',
    breaks: 'who takes a slot leaves it listed',
    edits: [
      [
        '     listing = listing & ~LISTED(s);                                                 /* crash point: attach_unregister */\n',
        '',
      ],
    ],
    bounds: 'BORN=1 KINDS=113 DROP',
  },
  {
    name: 'one look at the listing',
    breaks: 'who claims the gate for writing, since nobody else was listed, does not look again',
    edits: [
      [
        '        :: ok ->\n           find_other_reader(s);\n           if\n           :: v == NONE -> begin_write(); ok = 1\n',
        '        :: ok ->\n           v = NONE;\n           if\n           :: v == NONE -> begin_write(); ok = 1\n',
      ],
    ],
    bounds: 'KINDS=31 NOPS=2',
    survives:
      'the claim fails if anybody has listed himself since the look; but for a wrap of the sequence, which is not in the model',
  },
  {
    name: 'downgrade frees first',
    breaks: 'from write to read, the gate is freed before the mark of the reader is stored',
    edits: [
      [
        '     atomic { reads[s] = READS(1); count = 1 };                                      /* crash point: downgrade_publish */\n',
        '     count = 1;\n',
      ],
      [
        '     fi\n  :: else -> join_readers()\n  fi;\n  release_exclusive()',
        '     fi\n  :: else -> join_readers()\n  fi;\n  release_exclusive();\n  reads[s] = READS(1)',
      ],
    ],
    bounds: 'KINDS=33 ACTS=32',
    quick: true,
  },
  {
    name: 'not listed',
    breaks: 'who reads for the first time does not list its slot',
    edits: [
      [
        '           listing = listing | LISTED(s);                                            /* crash point: register_reader */\n',
        '',
      ],
    ],
    bounds: 'KINDS=31',
  },
  {
    name: 'listed unseen',
    breaks: 'who has listed its slot does not look at the gate once more',
    edits: [
      [
        'g = gate; ok = !(against); if :: ok :: else -> g = 0; break fi }; /* crash point: register_load */',
        'g = gate; ok = 1 };',
      ],
    ],
    bounds: 'KINDS=31',
    quick: true,
  },
  {
    name: 'listing before the gate',
    breaks: 'a reader looks at the listing before it looks at the gate',
    edits: [
      [
        '     atomic { g = gate; ok = !(against); g = 0 };                                    /* crash point: read_load */\n     if\n     :: ok ->\n        atomic {\n          ok = (listing & LISTED(s)) != 0;                                           /* crash point: registered_load */\n          if :: ok -> count',
        '     found = (listing & LISTED(s)) != 0;\n     atomic { g = gate; ok = !(against); g = 0 };\n     if\n     :: ok ->\n        atomic {\n          ok = found; found = 0;\n          if :: ok -> count',
      ],
    ],
    bounds: 'KINDS=31 NOPS=2 UNLISTINGS=1',
  },
  {
    name: 'unlisted unasked',
    breaks: 'a writer clears the listing without a look who reads, or is about to',
    edits: [['          if :: COUNT(reads[j]) == 0 -> idle', '          if :: true -> idle']],
    bounds: 'KINDS=31 NOPS=2 UNLISTINGS=1',
    quick: true,
  },
  {
    name: 'unlisted while draining',
    breaks: 'a writer to be, from whom the gate may be taken, clears the listing',
    edits: [
      [
        '#if UNLISTINGS > 0\n  if\n  :: atomic { unlistings > 0',
        '#if false\n  if\n  :: atomic { unlistings > 0',
      ],
      [
        '     find_other_reader(s);\n     if\n     :: v == NONE ->\n        claim_drained();\n        if\n        :: ok -> begin_write(); atomic',
        '     find_other_reader(s);\n     if\n     :: v == NONE ->\n        prune_idle_readers();\n        claim_drained();\n        if\n        :: ok -> begin_write(); atomic',
      ],
    ],
    bounds: 'KINDS=31 NOPS=2 LOOKS=1',
  },
  {
    name: 'unlisted afterwards',
    breaks: 'a writer clears the listing once it has freed the gate',
    edits: [
      [
        '#if UNLISTINGS > 0\n  if\n  :: atomic { unlistings > 0',
        '#if false\n  if\n  :: atomic { unlistings > 0',
      ],
      [
        '  if :: g & WAITING -> g = 0; wake_next(s) :: else -> g = 0 fi\n}\n\ninline downgrade_to_read',
        '  prune_idle_readers();\n  if :: g & WAITING -> g = 0; wake_next(s) :: else -> g = 0 fi\n}\n\ninline downgrade_to_read',
      ],
    ],
    bounds: 'KINDS=31 NOPS=2',
  },
  {
    name: 'downgraded unlisted',
    breaks: 'from write to read, the slot is not listed',
    edits: [
      [
        '     :: else -> listing = listing | LISTED(s)                                        /* crash point: register_reader */',
        '     :: else',
      ],
    ],
    bounds: 'KINDS=33 ACTS=32',
  },
  {
    name: 'listing before the claim',
    breaks: 'a writer takes the listing that it saw before it had the gate',
    edits: [
      [
        'inline write_drained() {\n  find_other_reader(s);',
        'inline write_drained() {\n  l = before & ~LISTED(s); v = NONE; do :: l == 0 -> break :: else -> next_listed(); if :: COUNT(reads[j]) -> v = j :: else fi; j = 0 od;',
      ],
      [
        '     trying[s] = 1;                                                                  /* crash point: try_mark */\n     claim_gate',
        '     trying[s] = 1; before = listing;\n     claim_gate',
      ],
      ['  byte v, j, l, idle,', '  byte before;\n  byte v, j, l, idle,'],
    ],
    bounds: 'N=3 KINDS=113',
  },
  {
    name: 'fence before the gate',
    breaks: 'a writer reads the last token before it has the gate',
    edits: [
      [
        '  f = fence + 1;                                                                     /* crash point: last_token_load */\n',
        '',
      ],
      ['inline write_now() {\n', 'inline write_now() {\n  f = fence + 1;\n'],
    ],
    bounds: 'KINDS=33',
  },
  {
    name: 'gate not recovered',
    breaks: 'the gate of a dead owner stays his',
    edits: [['     free_gate_of();\n', '     skip;\n']],
    bounds: 'KINDS=33 DEATHS=1',
  },
  {
    name: 'reads not recovered',
    breaks: 'the marks of dead readers stay',
    edits: [['if :: reads[v] == r -> reads[v] = r - COUNT(r) :: else fi; r = 0', 'r = 0']],
    bounds: 'KINDS=31 DEATHS=1',
  },
  {
    name: 'every owner poisons',
    breaks: 'a dead owner that had not begun to write poisons too',
    edits: [['if :: inside -> gate = POISONED_BY', 'if :: true -> gate = POISONED_BY']],
    bounds: 'KINDS=31 DEATHS=1',
  },
  {
    name: 'nobody poisons',
    breaks: 'a death inside a write hold is not told',
    edits: [['if :: inside -> gate = POISONED_BY', 'if :: false -> gate = POISONED_BY']],
    bounds: 'KINDS=33 DEATHS=1',
  },
  {
    name: 'the mode says enough',
    breaks: 'a dead owner whose gate said "writing" poisons, whether its hold had begun and not ended or not',
    edits: [['inside = token[v] == fence ', 'inside = 1 ']],
    bounds: 'KINDS=33 DEATHS=1',
  },
  {
    name: 'the token stays',
    breaks: 'the end of a write hold is not marked in its slot before the gate is freed',
    edits: [['atomic { token[s] = 0; holds[_pid] = after }', 'holds[_pid] = after']],
    bounds: 'KINDS=33 DEATHS=1',
  },
  {
    name: 'the token before the fence',
    breaks: 'the slot gets the token before the fence does',
    edits: [
      [
        '  fence = f;                                                                         /* crash point: last_token_store */\n',
        '',
      ],
      [
        '    assert(f > last_token); last_token = f; f = 0\n  }\n',
        '    assert(f > last_token); last_token = f\n  };\n  fence = f;\n  f = 0\n',
      ],
    ],
    bounds: 'KINDS=33 DEATHS=1',
  },
  {
    name: 'a drainer heals',
    breaks: 'a writer to be that gives up settles an earlier death',
    edits: [['EXCLUDES_READERS(g), GIVEN_BACK(g));', 'EXCLUDES_READERS(g), HEALED(GIVEN_BACK(g)));']],
    bounds: 'N=3 KINDS=133 ACTS=256',
  },
  {
    name: 'not poison_cleared',
    breaks: 'a write hold that ends well does not settle an earlier death',
    edits: [['gate = HEALED(FREED(g)); poison = 0', 'gate = FREED(g); poison = 0']],
    bounds: 'NOPS=2 KINDS=33 DEATHS=1',
  },
  {
    name: 'probe before the gate',
    breaks: 'recovery asks whether the owner lives before it reads the gate',
    edits: [
      [
        '  do\n  :: atomic {\n       a = gate;                                                                     /* crash point: free_gate_load */\n       if :: OWNED_BY(a, v) ::',
        '  do\n  :: atomic { if :: DEAD(v) :: else -> a = 0; break fi };\n     atomic {\n       a = gate;\n       if :: OWNED_BY(a, v) ::',
      ],
      [
        '     atomic { if :: DEAD(v) :: else -> a = 0; break fi };                            /* crash point: probe */\n',
        '',
      ],
    ],
    bounds: 'BORN=1 KINDS=222 DEATHS=1 LOOKS=1 TRIES',
  },
  {
    name: 'probe before the reads',
    breaks: 'recovery asks whether the owner lives before it reads what he reads',
    edits: [
      [
        '  atomic {\n    r = reads[v];                                                                    /* crash point: repair_load_reads */',
        '  repaired = DEAD(v);\n  atomic {\n    r = reads[v];',
      ],
      [
        '  :: else -> atomic { a = gate; repaired = OWNED_BY(a, v); a = 0 }  ',
        '  :: else -> atomic { a = gate; repaired = repaired && OWNED_BY(a, v); a = 0 }  ',
      ],
      ['  atomic { repaired = repaired && DEAD(v); if', '  atomic { if'],
    ],
    bounds: 'BORN=1 KINDS=131 DEATHS=1 LOOKS=1 TRIES',
    long: true,
  },
  {
    name: 'probe before the queue',
    breaks: 'recovery asks whether the owner lives before it reads what he waits for',
    edits: [
      ['  atomic { q2 = queued[v]; repaired = 1 };', '  repaired = DEAD(v);\n  atomic { q2 = queued[v] };'],
      [
        '  :: else -> atomic { a = gate; repaired = OWNED_BY(a, v); a = 0 }  ',
        '  :: else -> atomic { a = gate; repaired = repaired && OWNED_BY(a, v); a = 0 }  ',
      ],
      ['  atomic { repaired = repaired && DEAD(v); if', '  atomic { if'],
    ],
    bounds: 'BORN=1 KINDS=333 DEATHS=1',
    survives: 'who finds his own word gone publishes it again (publish_head), at his next look',
  },
  {
    name: 'no generation',
    breaks: 'the reads of two lives of a slot look the same',
    edits: [['generation = GENERATION(reads[s]) + 1 }', 'generation = GENERATION(reads[s]) }']],
    bounds: 'BORN=1 KINDS=131 DEATHS=1 LOOKS=1 TRIES',
    long: true,
  },
  {
    name: 'no tag',
    breaks: 'two tenures of the gate by one slot look the same',
    edits: [
      [
        '#define ACQUIRED(g, m)      ((((FREED(g)) | (m) | (s << 6)) & ~TAG) | (((g) + (1 << 13)) & TAG))',
        '#define ACQUIRED(g, m)      (FREED(g) | (m) | (s << 6))',
      ],
    ],
    bounds: 'BORN=1 KINDS=222 DEATHS=1 LOOKS=1 TRIES',
  },
  {
    name: 'one try to free the gate',
    breaks: 'who takes a dead slot tries only once to free its gate',
    edits: [
      [
        '          a = 0; inside = 0; break\n       :: else -> inside = 0\n       fi\n     }\n  od\n}\n\n/* Looks who',
        '          a = 0; inside = 0; break\n       :: else -> a = 0; inside = 0; break\n       fi\n     }\n  od\n}\n\n/* Looks who',
      ],
    ],
    bounds: 'BORN=1 KINDS=333 DEATHS=1',
  },
  {
    name: 'the dead writer’s slot',
    breaks: 'the slot that `died` names is used again',
    edits: [['          if :: !HAS_DIED(g, s) -> g = 0;', '          if :: true -> g = 0;']],
    bounds: 'BORN=1 KINDS=333 DEATHS=1',
  },
  {
    name: 'below the high-water mark',
    breaks: 'who opens the lock does not raise the high-water mark',
    edits: [['(MARK(high) < s + 1 -> s + 1 : MARK(high))', 'MARK(high)']],
    bounds: 'BORN=1 KINDS=113 DROP',
  },
  {
    name: 'the high-water mark without its changes',
    breaks: 'who closes lowers the mark though somebody has attached above it since it looked',
    edits: [['(((word) & ~7) + 8 | (mark))', '(mark)']],
    bounds: 'BORN=1 KINDS=113 DROP',
  },
  {
    name: 'the mark raised before the pid is there',
    breaks:
      'who closes takes the slot of one that is attaching for a vacant one, and does not see that it attached since',
    edits: [
      [
        '     vacant[s] = 0;                                                                  /* crash point: attach_pid */\n',
        '',
      ],
      ['MARK(high))); high = 0; break\n', 'MARK(high))); high = 0; ok = 1; break\n'],
      [
        '     od\n  :: else -> atomic { nops = 0;',
        '     od;\n     ok = 0; vacant[s] = 0\n  :: else -> atomic { nops = 0;',
      ],
    ],
    bounds: 'BORN=1 KINDS=113 DROP',
  },
  {
    name: 'no generation in the queue',
    breaks: 'the requests of two lives of a slot differ in their ticket only',
    edits: [['((m) | (generation << 5) | ((tick) << 7))', '((m) | ((tick) << 7))']],
    bounds: 'BORN=1 KINDS=333 DEATHS=1',
    survives: 'no two requests have the same ticket',
  },
]

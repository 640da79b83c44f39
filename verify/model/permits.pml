/*
 * The readers of a lock over PostgreSQL that limits them, for Spin: permits, the queue Q, cancels and deaths. See README.md.
 *
 * A session runs one statement at a time, so a process of the model is a session. Each step is one that others can notice: a
 * lock of the server.
 */

#ifndef KINDS
#define KINDS 0              /* what each session does, one digit each from the right: 1 reads and may wait; 2 is a `main` that
                                tries twice; 3 writes, and becomes a reader; 4 upgradable, becomes a reader if there is room;
                                5 removes the lock; 0 nothing */
#endif
#ifndef N
#define N 1                  /* permits */
#endif
#ifndef NOPS
#define NOPS 1               /* of each session */
#endif
#ifndef CANCELS
#define CANCELS 0            /* statements that fail: given up, or cancelled by others */
#endif
#ifndef DEATHS
#define DEATHS 0             /* sessions that end */
#endif

#define S 3
#define NONE 255
#define READ 1
#define WRITE 3

byte shared[S];              /* K shared, K exclusive, and what waits for K, with its place */
bit exclusive[S];
byte wants[S];
byte place[S];
bit q_shared[S];             /* Q */
bit q_exclusive[S];
byte q_place[S];
byte owner[N];               /* of each permit: the number of the session plus one */
byte times[N];               /* how often it has that */

/* What must be, seen from outside. */
byte reads;                  /* holds */
byte held[S];                /* read holds of each session */
bit waiting[S];              /* a reader that has begun to wait */
bit dead[S];
bit finished[S];
byte cancels, deaths;

#define OTHER(o, s, what) ((o) != (s) && (what))
#define ANY(f, s) (f(0, s) || f(1, s) || f(2, s))
#define HAS_EXCLUSIVE(o, s) OTHER(o, s, exclusive[o])
#define HAS_K(o, s) OTHER(o, s, exclusive[o] || shared[o] > 0)
#define AHEAD(o, s) (wants[o] && (!wants[s] || place[o] < place[s]))
#define WAITS_K(o, s) OTHER(o, s, AHEAD(o, s))
#define WAITS_EXCLUSIVE(o, s) OTHER(o, s, wants[o] == WRITE && AHEAD(o, s))
#define HAS_Q(o, s) OTHER(o, s, q_shared[o] || q_exclusive[o])
#define HAS_Q_EXCLUSIVE(o, s) OTHER(o, s, q_exclusive[o])
#define WAITS_Q(o, s) OTHER(o, s, q_place[o] && (!q_place[s] || q_place[o] < q_place[s]))

#define WAITS(o, s) OTHER(o, s, waiting[o])

/* As in PostgreSQL: no conflict with what others hold, nor with who waits ahead; what the session has it gets again. */
#define CAN_SHARE(s) (shared[s] > 0 || exclusive[s] || (!ANY(HAS_EXCLUSIVE, s) && !ANY(WAITS_EXCLUSIVE, s)))
#define CAN_EXCLUDE(s) (!ANY(HAS_K, s) && !ANY(WAITS_K, s))
#define CAN_Q(s) (!ANY(HAS_Q, s) && !ANY(WAITS_Q, s))
#define CAN_SHARE_Q(s) (!ANY(HAS_Q_EXCLUSIVE, s) && !ANY(WAITS_Q, s))

#if N == 1
#define IS_FREE (!owner[0])
#else
#define IS_FREE (!owner[0] || !owner[1])
#endif

#define MAY_FAIL (cancels < CANCELS)
#define OWN(number) (own & (1 << (number)))

/* The last place of each queue. Inside an atomic step. */
inline join_queue(s, mode) {
	wants[s] = mode; place[s] = 1; i = 0;
	do
	:: i < S -> if :: i != s && place[i] >= place[s] -> place[s] = place[i] + 1 :: else fi; i++
	:: else -> break
	od;
	i = 0
}

inline join_q(s) {
	q_place[s] = 1; i = 0;
	do
	:: i < S -> if :: i != s && q_place[i] >= q_place[s] -> q_place[s] = q_place[i] + 1 :: else fi; i++
	:: else -> break
	od;
	i = 0
}

inline release_permit(number) {
	times[number]--;
	if
	:: times[number] == 0 -> owner[number] = 0
	:: else
	fi
}

/* Inside an atomic step. */
inline unlock_all(s) {
	shared[s] = 0; exclusive[s] = 0; wants[s] = 0; place[s] = 0; q_shared[s] = 0; q_exclusive[s] = 0; q_place[s] = 0;
	i = 0;
	do
	:: i < N -> if :: owner[i] == s + 1 -> owner[i] = 0; times[i] = 0 :: else fi; i++
	:: else -> break
	od;
	i = 0
}

/* Takes a permit: `got`, or NONE. Each number is a step, from any first one. */
inline take_permit() {
	got = NONE; k = 0;
	if :: first = 0 :: first = N - 1 fi;
	do
	:: k < N ->
		if
		:: atomic { MAY_FAIL -> cancels++; first = 0; k = 0 }; goto failed
		:: atomic { (owner[(first + k) % N] == 0 || owner[(first + k) % N] == s + 1) && !OWN((first + k) % N) -> /* step: take */
			got = (first + k) % N; owner[got] = s + 1; times[got]++ }
			break
		:: atomic { (owner[(first + k) % N] != 0 && owner[(first + k) % N] != s + 1) || OWN((first + k) % N) -> k++ }
		fi
	:: else -> break
	od;
	first = 0; k = 0
}

/* Inside an atomic step. */
inline begin_read() {
	assert(owner[got] == s + 1 && times[got] == 1);
	assert(shared[s] > 0);
	reads++; held[s]++; waiting[s] = 0;
	assert(reads <= N);
	assert(!ANY(HAS_EXCLUSIVE, s))
}

/* The permit is released while K is shared. */
inline end_read(number) {
	atomic { reads--; held[s]-- };
	atomic { release_permit(number) }; /* step: end_permit */
	shared[s]--; /* step: end_shared */
}

inline end_session() {
	unlock_all(s); reads = reads - held[s]; held[s] = 0; waiting[s] = 0; own = 0; got = NONE
}

proctype Session(byte s; byte kind) {
	byte n, i, k, first, got = NONE, other = NONE, own;

	{
	skip;
next:
	if
	:: n == NOPS -> goto done
	:: else -> n++
	fi;
	if
	:: kind == 1 -> goto read
	:: kind == 2 -> goto tries
	:: kind == 3 -> goto write
	:: kind == 4 -> goto upgradable
	:: kind == 5 -> goto remove
	fi;

	/* ---- a session that waits: read_limited */
read:
	if
	:: atomic { CAN_SHARE(s) -> shared[s]++ }
	:: atomic { !CAN_SHARE(s) -> skip }; goto queue
	fi;
	if
	:: atomic { CAN_SHARE_Q(s) -> q_shared[s] = 1 }
	:: atomic { !CAN_SHARE_Q(s) -> shared[s]-- }; goto queue
	fi;
	take_permit();
	q_shared[s] = 0;
	if
	:: got != NONE -> goto reading
	:: else -> shared[s]--
	fi;
queue:
	atomic { waiting[s] = 1; join_q(s) }
	if
	:: atomic { CAN_Q(s) -> q_place[s] = 0; q_exclusive[s] = 1 } /* step: head */
	:: atomic { MAY_FAIL -> cancels++ }; goto failed
	fi;
	do
	:: atomic { join_queue(s, READ) }
		if
		:: atomic { CAN_SHARE(s) -> wants[s] = 0; place[s] = 0; shared[s]++ } /* step: head_shares */
		:: atomic { MAY_FAIL -> cancels++ }; goto failed
		fi;
		take_permit(); /* step: head_takes */
		if
		:: got != NONE -> break
		:: else -> shared[s]-- /* step: head_unshares */
		fi;
		/* It sleeps, and looks again: a look that finds nothing changes nothing. */
		if
		:: IS_FREE
		:: atomic { MAY_FAIL -> cancels++ }; goto failed
		fi
	od;
	q_exclusive[s] = 0; /* step: head_leaves */
reading:
	if
	:: atomic { begin_read() }
	:: atomic { MAY_FAIL -> cancels++ }; goto failed
	fi;
	end_read(got);
	got = NONE;
	goto next;

	/* ---- `main`, which may have a hold already */
tries:
	if
	:: atomic { CAN_SHARE(s) && !(shared[s] > 0 && ANY(WAITS_EXCLUSIVE, s)) -> shared[s]++ }
	:: atomic { !CAN_SHARE(s) || (shared[s] > 0 && ANY(WAITS_EXCLUSIVE, s)) -> skip }; goto tried
	fi;
	if
	:: atomic { CAN_SHARE_Q(s) -> q_shared[s] = 1 } /* step: try_queue */
	:: atomic { !CAN_SHARE_Q(s) -> shared[s]-- }; goto tried
	fi;
	take_permit();
	q_shared[s] = 0;
	if
	:: got == NONE -> shared[s]--
	:: atomic { MAY_FAIL -> cancels++ }; goto failed
	:: atomic { got != NONE -> begin_read(); own = own | (1 << got) } /* step: known */
		if
		:: other == NONE -> other = got; got = NONE; goto tries
		:: else
		fi
	fi;
tried:
	/* Its holds end in any order. */
	do
	:: got != NONE -> end_read(got); own = own & ~(1 << got); got = NONE
	:: other != NONE -> end_read(other); own = own & ~(1 << other); other = NONE
	:: got == NONE && other == NONE -> break
	od;
	goto next;

	/* ---- a writer */
write:
	atomic { join_queue(s, WRITE) }
	if
	:: atomic { CAN_EXCLUDE(s) -> wants[s] = 0; place[s] = 0; exclusive[s] = 1; assert(reads == 0) }
	:: atomic { MAY_FAIL -> cancels++ }; goto failed
	fi;
	if
	:: exclusive[s] = 0; goto next
	:: skip
	fi;
	take_permit();
	/* There is always room. */
	assert(got != NONE);
	shared[s]++;
	exclusive[s] = 0;
	goto reading;

	/* ---- an upgradable hold */
upgradable:
	atomic { join_queue(s, READ) }
	if
	:: atomic { CAN_SHARE(s) -> wants[s] = 0; place[s] = 0; shared[s]++ }
	:: atomic { MAY_FAIL -> cancels++ }; goto failed
	fi;
	take_permit();
	if
	:: got != NONE -> goto reading
	:: else -> shared[s]--; goto next
	fi;

	/* ---- the removal of a lock that nobody uses */
remove:
	if
	:: atomic { CAN_EXCLUDE(s) -> exclusive[s] = 1 }
	:: atomic { !CAN_EXCLUDE(s) -> skip }; goto next
	fi;
	if
	:: atomic { CAN_SHARE_Q(s) -> /* step: remove */
		assert(!ANY(WAITS, s));
		q_shared[s] = 1 }
	:: atomic { !CAN_SHARE_Q(s) -> skip }
	fi;
	q_shared[s] = 0;
	exclusive[s] = 0;
	goto next;

failed:
	/* A waiting session has nothing else. `main` releases the permits that the client does not know; it is not known how often
	   it has K, so with another hold it ends. */
	if
	:: atomic { kind == 2 && own == 0 -> /* step: undo */
		i = 0;
		do
		:: i < N -> if :: owner[i] == s + 1 -> release_permit(i) :: else fi; i++
		:: else -> break
		od;
		i = 0; q_shared[s] = 0; shared[s] = 0 }
	:: atomic { kind == 2 && own != 0 -> end_session(); other = NONE } /* step: end_main */
	:: atomic { kind != 2 -> unlock_all(s) } /* step: clean_up */
	fi;
	atomic { got = NONE; waiting[s] = 0 }
	goto next
	} unless {
		atomic { dead[s] -> end_session(); other = NONE; k = 0; first = 0 }
	}
done:
	finished[s] = 1
}

proctype Killer() {
end_killer:
	do
	:: atomic { deaths < DEATHS && !finished[0] && !dead[0] -> deaths++; dead[0] = 1 }
	:: atomic { deaths < DEATHS && !finished[1] && !dead[1] -> deaths++; dead[1] = 1 }
	od
}

#define DIGIT(n) ((KINDS / (n)) % 10)
#define NOTHING(s) (shared[s] == 0 && !exclusive[s] && !q_shared[s] && !q_exclusive[s] && !wants[s] && !q_place[s])

/* Nothing is left when all are done. */
proctype Auditor() {
	finished[0] && finished[1] && finished[2];
	assert(NOTHING(0) && NOTHING(1) && NOTHING(2));
	assert(reads == 0 && owner[0] == 0 && owner[N - 1] == 0)
}

init {
	atomic {
		if :: DIGIT(1) -> run Session(0, DIGIT(1)) :: else -> finished[0] = 1 fi;
		if :: DIGIT(10) -> run Session(1, DIGIT(10)) :: else -> finished[1] = 1 fi;
		if :: DIGIT(100) -> run Session(2, DIGIT(100)) :: else -> finished[2] = 1 fi;
		if :: DEATHS > 0 -> run Killer() :: else fi;
		run Auditor()
	}
}

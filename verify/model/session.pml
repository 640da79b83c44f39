/*
 * The engine over PostgreSQL for Spin: sessions, the local queue of a process, cancels, losses and deaths, for one lock. See
 * README.md for what is modelled and what is not.
 *
 * A session is a process of the server (`Server`), which executes one statement after the other. Each step of it is one that
 * others can notice: a lock of the server, a commit, an answer. The tasks of a process (`Task`) share its sessions. What a
 * task does between two awaits is one step, because JavaScript has one thread.
 */

#ifndef KINDS
#define KINDS 0              /* what each task requests, one digit each from the right: 1 read, 2 upgradable, 3 write, 4 any, 0 no task */
#endif
#ifndef NOPS
#define NOPS 1               /* acquisitions of each task */
#endif
#ifndef SESSIONS
#define SESSIONS 1           /* sessions of each process that may wait, besides `main` */
#endif
#ifndef GIVEN_UP
#define GIVEN_UP 0           /* waits that end by a timeout or an abort */
#endif
#ifndef CANCELS
#define CANCELS 0            /* pg_cancel_backend by others */
#endif
#ifndef LOSSES
#define LOSSES 0             /* sessions that end: pg_terminate_backend, a cut connection */
#endif
#ifndef DEATHS
#define DEATHS 0             /* processes that are killed */
#endif
/* TURNS: holders upgrade and downgrade. LINGER: task 0 keeps its hold until that task is done; if waits may be given up, only
   after one was. */

#define PROCESSES 2
#define TASKS_EACH 2
#define TASKS (PROCESSES * TASKS_EACH)
#define EACH (SESSIONS + 1)
#define S (PROCESSES * EACH)
#define MAIN(p) ((p) * EACH)
#define PROCESS_OF(s) ((s) / EACH)

#define READ 1
#define UPGRADABLE 2
#define WRITE 3

/* Statements. The first three wait. */
#define TRY_READ 4
#define TRY_WRITE 5
#define UPGRADE 6
#define RELEASE_READ 7
#define RELEASE_UPGRADABLE 8
#define RELEASE_WRITE 9
#define UNLOCK_ALL 10
#define UNLOCK_EXCLUSIVE 11
#define TO_READ 12           /* downgrades of a write hold */
#define TO_UPGRADABLE 13
#define IS_RELEASE(x) ((x) >= RELEASE_READ && (x) <= RELEASE_WRITE)

#define GRANTED 1
#define REFUSED 2            /* a try */
#define FAILED 3             /* cancelled */

/* ---- the server ----------------------------------------------------------------------------------------- */

bit alive[S];                /* the session exists in the server */
bit running[S];              /* executes a statement */
bit cancelled[S];            /* a cancel has arrived, for the statement that runs */
byte shared[S];              /* locks of each session: K shared, K exclusive, U */
bit exclusive[S];
bit u[S];
byte wants[S];               /* waits for K: READ or WRITE */
bit wants_u[S];
byte place[S];               /* in the queue of what it waits for: 1 is the first */
bit marked;                  /* the row: `writer` is not null */
byte token;
bit marked_by[S];            /* this session has set the mark */

chan request[S] = [2] of { byte, bit };        /* the statement, and for a release what `writer` becomes */
chan answer[S] = [2] of { byte, byte, bit, bit }; /* the statement, how it ended, died, and whether that is true */

/* What must be, seen from outside. */
bit must_tell;               /* a writer died or lost its session inside its hold, and no write hold has ended since */
bit may_tell;
byte last_token;
bit nobodys[S];              /* the release that was sent is that of a hold which no task had */

#define OTHER(o, s, what) ((o) != (s) && (what))
#if SESSIONS == 1
#define ANY(f, s) (f(0, s) || f(1, s) || f(2, s) || f(3, s))
#else
#define ANY(f, s) (f(0, s) || f(1, s) || f(2, s) || f(3, s) || f(4, s) || f(5, s))
#endif
#define HAS_EXCLUSIVE(o, s) OTHER(o, s, exclusive[o])
#define HAS_K(o, s) OTHER(o, s, exclusive[o] || shared[o] > 0)
#define HAS_U(o, s) OTHER(o, s, u[o])
#define WAITS_K(o, s) OTHER(o, s, wants[o] && (!wants[s] || place[o] < place[s]))
#define WAITS_EXCLUSIVE(o, s) OTHER(o, s, wants[o] == WRITE && (!wants[s] || place[o] < place[s]))
#define WAITS_U(o, s) OTHER(o, s, wants_u[o] && (!wants_u[s] || place[o] < place[s]))

/* As in PostgreSQL: no conflict with what others hold, nor with who waits ahead. */
#define CAN_SHARE(s) (!ANY(HAS_EXCLUSIVE, s) && !ANY(WAITS_EXCLUSIVE, s))
#define CAN_EXCLUDE(s) (!ANY(HAS_K, s) && !ANY(WAITS_K, s))
#define CAN_U(s) (!ANY(HAS_U, s) && !ANY(WAITS_U, s))

inline join_queue(s, mode) {
	d_step {
		i = 0;
		if
		:: alive[s] ->
			place[s] = 1; wants[s] = mode;
			do
			:: i < S -> if :: i != s && wants[i] -> place[s]++ :: else fi; i++
			:: else -> break
			od
		:: else
		fi;
		i = 0
	}
}

inline join_queue_u(s) {
	d_step {
		i = 0;
		if
		:: alive[s] ->
			place[s] = 1; wants_u[s] = 1;
			do
			:: i < S -> if :: i != s && wants_u[i] -> place[s]++ :: else fi; i++
			:: else -> break
			od
		:: else
		fi;
		i = 0
	}
}

/* Inside an atomic step. */
inline leave_queues(s) {
	j = 0;
	do
	:: j < S ->
		if
		:: wants[s] && wants[j] && place[j] > place[s] -> place[j]--
		:: wants_u[s] && wants_u[j] && place[j] > place[s] -> place[j]--
		:: else
		fi;
		j++
	:: else -> break
	od;
	wants[s] = 0; wants_u[s] = 0; place[s] = 0; j = 0
}

/* The session ends: its locks go, what it has not committed is lost. Inside an atomic step. */
inline end_session(s) {
	alive[s] = 0;
	leave_queues(s);
	shared[s] = 0; exclusive[s] = 0; u[s] = 0;
	if
	:: marked_by[s] -> may_tell = 1; marked_by[s] = 0
	:: else
	fi
}

/* The row, read after the wait. Inside an atomic step. */
inline read_row(died) {
	died = marked;
	right = (died || !must_tell) && (!died || may_tell)
}

/* Inside an atomic step: committed. */
inline mark_row(s, died) {
	read_row(died);
	token++; marked = 1; marked_by[s] = 1
}

/* Of the statements that end a write hold. In an atomic step of Server. */
inline clear_mark() {
	marked = writer; marked_by[s] = 0;
	if
	:: !writer && !nobodys[s] -> must_tell = 0; may_tell = 0
	:: else
	fi;
	nobodys[s] = 0
}

inline unlock_exclusive() {
	if
	:: statement == RELEASE_WRITE -> shared[s] = 0; exclusive[s] = 0; u[s] = 0
	:: statement == TO_READ -> shared[s] = 1; exclusive[s] = 0; u[s] = 0
	:: else -> shared[s] = 1; exclusive[s] = 0
	fi
}

proctype Server(byte s) {
	byte statement, how, i, j;
	bit died, writer, right;

end_idle:
	/* Reading a statement forgets a cancel that came between two. */
	atomic {
		alive[s] && nempty(request[s]) -> request[s]?statement, writer; /* step: next_statement */
		running[s] = 1; cancelled[s] = 0; how = GRANTED; died = 0; right = 1
	}
	if
	:: statement == WRITE || statement == UPGRADABLE ->
		join_queue_u(s);
		if
		:: atomic { alive[s] && CAN_U(s) -> u[s] = 1; leave_queues(s) } /* step: lock_u */
		:: atomic { cancelled[s] -> leave_queues(s); how = FAILED }; goto answers
		:: !alive[s] -> goto gone
		fi;
		if
		:: statement == WRITE -> join_queue(s, WRITE)
		:: else -> join_queue(s, READ)
		fi;
		if
		:: atomic { alive[s] && statement == WRITE && CAN_EXCLUDE(s) -> exclusive[s] = 1; leave_queues(s) } /* step: lock_exclusive */
		:: atomic { alive[s] && statement == UPGRADABLE && CAN_SHARE(s) -> shared[s]++; leave_queues(s) } /* step: lock_shared */
		:: atomic { cancelled[s] -> leave_queues(s); how = FAILED }; goto answers
		:: !alive[s] -> goto gone
		fi
	:: statement == READ ->
		join_queue(s, READ);
		if
		:: atomic { alive[s] && CAN_SHARE(s) -> shared[s]++; leave_queues(s) }
		:: atomic { cancelled[s] -> leave_queues(s); how = FAILED }; goto answers
		:: !alive[s] -> goto gone
		fi
	:: statement == UPGRADE ->
		join_queue(s, WRITE);
		if
		:: atomic { alive[s] && CAN_EXCLUDE(s) -> exclusive[s] = 1; leave_queues(s) }
		:: atomic { cancelled[s] -> leave_queues(s); how = FAILED }; goto answers
		:: !alive[s] -> goto gone
		fi
	:: else
	fi;

	/* A cancel that comes late: the locks are kept, and nothing is committed. */
	if
	:: atomic { cancelled[s] -> how = FAILED }; goto answers
	:: !alive[s] -> goto gone
	:: atomic { alive[s] ->
		if
		:: statement == READ || statement == UPGRADABLE -> read_row(died)
		:: statement == WRITE || statement == UPGRADE -> mark_row(s, died)
		:: statement == TRY_READ ->
			if
			:: CAN_SHARE(s) -> shared[s]++; read_row(died)
			:: else -> how = REFUSED
			fi
		:: statement == TRY_WRITE ->
			if
			:: CAN_U(s) && CAN_EXCLUDE(s) -> u[s] = 1; exclusive[s] = 1; mark_row(s, died)
			:: else -> how = REFUSED
			fi
		:: statement == RELEASE_READ -> shared[s]--
		:: statement == RELEASE_UPGRADABLE -> shared[s]--; u[s] = 0
		:: statement == UNLOCK_ALL -> shared[s] = 0; exclusive[s] = 0; u[s] = 0 /* step: unlock_all */
		:: statement == UNLOCK_EXCLUSIVE -> exclusive[s] = 0
		:: else -> clear_mark() /* step: commit */
		fi }
	fi;
	if
	:: statement == RELEASE_WRITE || statement == TO_READ || statement == TO_UPGRADABLE ->
		if
		:: atomic { cancelled[s] -> how = FAILED }; goto answers
		:: !alive[s] -> goto gone
		:: atomic { alive[s] -> unlock_exclusive() } /* step: unlock */
		fi
	:: else
	fi;

answers:
	atomic {
		if
		:: alive[s] -> answer[s]!statement, how, died, right; running[s] = 0
		:: else -> running[s] = 0
		fi;
		died = 0; writer = 0; right = 0; how = 0; statement = 0
	}
	goto end_idle;
gone:
	atomic { running[s] = 0; died = 0; writer = 0; right = 0; how = 0; statement = 0 }
	goto end_idle
}

/* ---- a process ------------------------------------------------------------------------------------------ */

bit dead[PROCESSES];
chan queue[PROCESSES] = [TASKS_EACH] of { byte, byte };  /* the local queue: the task, and its mode */
bit pending_read[PROCESSES]; /* a read is on its way, which later readers of the queue share */
byte reading[PROCESSES];     /* read holds of the engine */
bit writing[PROCESSES];
bit upgradable[PROCESSES];
bit upgrading[PROCESSES];
byte joinable[PROCESSES];    /* the hold that readers may share: its number plus one */
bit main_busy[PROCESSES];

bit busy[S];                 /* a waiting session belongs to a task, or to a hold */
byte ahead[S];               /* releases without an answer */
bit cancelling[S];           /* pg_cancel_backend was sent for it, and has not answered */
bit lost[S];                 /* the client knows that the session is gone */

/* Holds, numbered by process: at most one for each task. */
byte hold_session[TASKS];
byte hold_count[TASKS];
byte hold_mode[TASKS];
bit hold_lost[TASKS];

byte mode_of[TASKS];         /* what each task holds */
byte hold_of[TASKS];
bit done[TASKS];

byte given_up, cancels, losses, deaths;

#define HEAD(t) (queue[p]?[eval(t), _])
#define WAITING(p, n) (MAIN(p) + 1 + (n))
#define FREE(s) (alive[s] && !lost[s] && !busy[s])
#define GONE(s) (!alive[s] && len(answer[s]) == 0)

/* An active hold is one of the server, if its session is alive. */
inline check_hold(s, mode) {
	if
	:: alive[s] && mode == READ -> assert(shared[s] > 0)
	:: alive[s] && mode == UPGRADABLE -> assert(shared[s] > 0 && u[s])
	:: alive[s] && mode == WRITE -> assert(exclusive[s] && u[s])
	:: else
	fi
}

/* No two holds exclude each other, if neither is about to be reported as lost. Inside an atomic step. */
inline check_exclusion(t) {
	i = 0;
	do
	:: i < TASKS ->
		if
		:: i != t && mode_of[i] && !dead[i / TASKS_EACH] && alive[hold_session[hold_of[i]]] && alive[hold_session[hold_of[t]]] ->
			assert(mode_of[i] != WRITE && mode_of[t] != WRITE);
			assert(mode_of[i] != UPGRADABLE || mode_of[t] != UPGRADABLE)
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0
}

/* A granted write has a token above all others. */
inline check_token(s) {
	if
	:: alive[s] -> assert(token > last_token); last_token = token
	:: else
	fi
}

inline new_hold(s) {
	hold = p * TASKS_EACH;
	do
	:: hold_count[hold] > 0 -> hold++
	:: else -> break
	od;
	hold_session[hold] = s; hold_count[hold] = 1; hold_mode[hold] = mode; hold_lost[hold] = 0
}

/* The task has its hold. Inside an atomic step. */
inline take_hold() {
	assert(right || !alive[s]);
	assert(!lost[s]);
	mode_of[t] = mode; hold_of[t] = hold; died = 0; right = 0;
	if
	:: mode == WRITE -> check_token(s)
	:: else
	fi;
	check_hold(s, mode);
	check_exclusion(t)
}

/* Ends the task's share of its hold, and sends the release with the last share. Inside an atomic step. */
inline drop_hold(left) {
	hold_count[hold]--;
	if
	:: hold_count[hold] == 0 && !hold_lost[hold] ->
		if
		:: hold_mode[hold] == READ ->
			reading[p]--;
			if :: joinable[p] == hold + 1 -> joinable[p] = 0 :: else fi;
			request[s]!RELEASE_READ, 0
		:: hold_mode[hold] == UPGRADABLE -> upgradable[p] = 0; upgrading[p] = 0; request[s]!RELEASE_UPGRADABLE, 0
		:: hold_mode[hold] == WRITE -> writing[p] = 0; upgradable[p] = 0; request[s]!RELEASE_WRITE, left
		fi;
		ahead[s]++;
		busy[s] = 0 /* step: give_back */
	:: else
	fi;
	if
	:: hold_count[hold] == 0 -> hold_mode[hold] = 0; hold_session[hold] = 0; hold_lost[hold] = 0
	:: else
	fi
}

/* Takes a free waiting session. */
inline lease() {
	if
	:: FREE(WAITING(p, 0)) -> s = WAITING(p, 0)
	:: else -> s = WAITING(p, SESSIONS - 1)
	fi;
	busy[s] = 1
}

#define IDLE_SESSION (FREE(WAITING(p, 0)) || FREE(WAITING(p, SESSIONS - 1)))

/* Waits for the answer to a statement that may have to wait in the server, and cancels it if the task gives up. */
inline await_answer(what) {
	do
	:: atomic { answer[s]?[eval(what), _, _, _] -> answer[s]?_, how, died, right }; break
	:: atomic { !gave && given_up < GIVEN_UP -> given_up++; gave = 1 }
	/* Not before the releases ahead have answered: a cancelled release releases nothing. */
	:: atomic { gave && !cancelling[s] && ahead[s] == 0 && alive[MAIN(p)] -> cancelling[s] = 1 } /* step: cancel */
	:: atomic { GONE(s) -> how = FAILED }; break
	od;
	/* The next statement must not be hit by the cancel. */
	!cancelling[s] || GONE(s) /* step: cancel_answered */
}

/* What could not be undone ends with the session. Inside an atomic step. */
inline end_unless_granted() {
	if
	:: how != GRANTED && alive[s] -> end_session(s) /* step: not_undone */
	:: else
	fi
}

inline await_reply(what) {
	if
	:: atomic { answer[s]?[eval(what), _, _, _] -> answer[s]?_, how, died, right }
	:: atomic { GONE(s) -> how = FAILED }
	fi
}

/* What a try would find: a poll that finds nothing changes nothing. */
#define CAN_BE_HAD ((mode == READ && CAN_SHARE(MAIN(p))) || (mode == WRITE && CAN_U(MAIN(p)) && CAN_EXCLUDE(MAIN(p))))

proctype Task(byte t; byte kind) {
	byte p = t / TASKS_EACH, mode, s, hold, how, n, i, j;
	bit gave, died, right;

	{
	skip;
next:
	if
	:: n == NOPS -> goto finished
	:: else -> n++; gave = 0
	fi;
	if
	:: kind == 1 || kind == 4 -> mode = READ
	:: kind == 2 || kind == 4 -> mode = UPGRADABLE
	:: kind == 3 || kind == 4 -> mode = WRITE
	fi;
	queue[p]!t, mode;

	if
	:: atomic { HEAD(t) && mode == READ && !writing[p] && !upgrading[p] && joinable[p] -> /* step: join */
		queue[p]?_, _; hold = joinable[p] - 1; s = hold_session[hold]; hold_count[hold]++; right = 1; take_hold() }
		goto inside
	/* A read that has been shared for long enough is shared no more. */
	:: atomic { HEAD(t) && mode == READ && !writing[p] && !upgrading[p] && !pending_read[p] ->
		queue[p]?_, _; joinable[p] = 0; pending_read[p] = 1 }
	:: atomic { HEAD(t) && mode == UPGRADABLE && !writing[p] && !upgradable[p] -> queue[p]?_, _; upgradable[p] = 1 }
	:: atomic { HEAD(t) && mode == WRITE && !writing[p] && !upgradable[p] && reading[p] == 0 && !pending_read[p] -> /* step: local_write */
		queue[p]?_, _; writing[p] = 1 }
	:: atomic { given_up < GIVEN_UP -> given_up++; queue[p]??eval(t), _ }
		goto next
	fi;

acquire:
	if
	:: atomic { IDLE_SESSION -> lease(); request[s]!mode, 0 }
		await_answer(mode);
		if
		:: how == GRANTED -> skip
		:: atomic { how != GRANTED && !GONE(s) -> request[s]!UNLOCK_ALL, 0 } /* step: clean_up */
			await_reply(UNLOCK_ALL);
			atomic { end_unless_granted(); busy[s] = 0; s = 0 }
			goto again
		:: atomic { how != GRANTED && GONE(s) -> busy[s] = 0; s = 0 }
			goto again
		fi
	/* None to spare. They may belong to holds that end only after this one, so the session that never waits tries. */
	:: atomic { !IDLE_SESSION && mode != UPGRADABLE && alive[MAIN(p)] && !lost[MAIN(p)] && !main_busy[p] && CAN_BE_HAD -> /* step: try_on_main */
		main_busy[p] = 1; s = MAIN(p); request[s]!(mode == READ -> TRY_READ : TRY_WRITE), 0 }
		await_reply((mode == READ -> TRY_READ : TRY_WRITE));
		if
		:: how == GRANTED -> skip
		:: atomic { how != GRANTED -> main_busy[p] = 0; s = 0 }
			goto again
		fi
	:: atomic { !gave && given_up < GIVEN_UP -> given_up++; gave = 1 }
		goto again
	fi;
	if
	/* Granted by a session that has ended since. */
	:: atomic { lost[s] -> /* step: grant_of_the_dead */
		if
		:: s == MAIN(p) -> main_busy[p] = 0
		:: else -> busy[s] = 0
		fi;
		s = 0; died = 0; right = 0 }
		goto again
	:: atomic { !lost[s] ->
		if
		:: s == MAIN(p) -> main_busy[p] = 0
		:: else
		fi;
		new_hold(s);
		if
		:: mode == READ -> pending_read[p] = 0; reading[p]++; joinable[p] = hold + 1
		:: else
		fi;
		/* Granted to nobody: released as if it had never been held. */
		if
		:: gave -> nobodys[s] = (mode == WRITE); drop_hold(died); s = 0; hold = 0; died = 0; how = 0 /* step: nobodys */
		:: else -> take_hold()
		fi }
	fi;
	if
	:: gave -> goto next
	:: else
	fi;

inside:
#ifdef LINGER
	if
	:: t == 0 -> done[LINGER] || given_up < GIVEN_UP
	:: else
	fi;
#endif
#ifdef TURNS
	if
	:: skip
	:: atomic { mode == UPGRADABLE && !hold_lost[hold] && alive[s] ->
		upgrading[p] = 1; joinable[p] = 0; request[s]!UPGRADE, 0 }
		await_answer(UPGRADE);
		if
		:: atomic { how == GRANTED && !hold_lost[hold] ->
			mode = WRITE; mode_of[t] = WRITE; hold_mode[hold] = WRITE; writing[p] = 1; upgrading[p] = 0;
			check_token(s); check_hold(s, mode); check_exclusion(t) }
		:: atomic { how != GRANTED && !GONE(s) -> request[s]!UNLOCK_EXCLUSIVE, 0 } /* step: clean_up_upgrade */
			await_reply(UNLOCK_EXCLUSIVE);
			atomic {
				end_unless_granted();
				if
				:: how == GRANTED && !hold_lost[hold] -> upgrading[p] = 0; check_hold(s, mode)
				:: else
				fi
			}
		:: GONE(s) || hold_lost[hold]
		fi
	:: atomic { mode == WRITE && !hold_lost[hold] && alive[s] -> mode_of[t] = READ; request[s]!TO_READ, 0 }
		await_reply(TO_READ);
		atomic {
			end_unless_granted();
			if
			:: how == GRANTED && !hold_lost[hold] ->
				mode = READ; hold_mode[hold] = READ; writing[p] = 0; upgradable[p] = 0; reading[p]++; joinable[p] = hold + 1;
				check_hold(s, mode)
			:: else
			fi
		}
	:: atomic { mode == WRITE && !hold_lost[hold] && alive[s] -> mode_of[t] = UPGRADABLE; request[s]!TO_UPGRADABLE, 0 }
		await_reply(TO_UPGRADABLE);
		atomic {
			end_unless_granted();
			if
			:: how == GRANTED && !hold_lost[hold] ->
				mode = UPGRADABLE; hold_mode[hold] = UPGRADABLE; writing[p] = 0; upgradable[p] = 1; check_hold(s, mode)
			:: else
			fi
		}
	fi;
#endif
	atomic { check_hold(s, mode); mode_of[t] = 0; drop_hold(0); s = 0; hold = 0 } /* step: release */
	goto next;

again:
	/* Its session was lost, or somebody else has cancelled its statement. */
	if
	:: atomic { gave ->
		if
		:: mode == READ -> pending_read[p] = 0
		:: mode == UPGRADABLE -> upgradable[p] = 0
		:: else -> writing[p] = 0
		fi }
		goto next
	:: else -> goto acquire
	fi;

finished:
	done[t] = 1
	} unless { dead[p] };
}

/* ---- everything else ------------------------------------------------------------------------------------- */

/* The queue of the process goes on, although the tasks with the lost hold still run. Inside an atomic step. */
inline free_local_queue(h) {
	if
	:: hold_mode[h] == READ -> reading[p]--
	:: hold_mode[h] == UPGRADABLE -> upgradable[p] = 0; upgrading[p] = 0
	:: hold_mode[h] == WRITE -> writing[p] = 0; upgradable[p] = 0
	fi
}

/* Whether a task counts on this session's hold. */
inline lose_holds(p, s) {
	i = p * TASKS_EACH;
	do
	:: i < (p + 1) * TASKS_EACH ->
		if
		:: hold_count[i] > 0 && hold_session[i] == s && !hold_lost[i] ->
			hold_lost[i] = 1; busy[s] = 0; /* step: told_of_the_loss */
			if :: joinable[p] == i + 1 -> joinable[p] = 0 :: else fi;
			free_local_queue(i)
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0
}

/* Seen from outside: a write hold ends inside. */
inline note_death(s) {
	i = 0;
	do
	:: i < TASKS ->
		if
		:: mode_of[i] == WRITE && hold_session[hold_of[i]] == s && !dead[i / TASKS_EACH] && !hold_lost[hold_of[i]] && marked_by[s] -> must_tell = 1
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0
}

/* A number of a hold that tasks still count on is not used again. */
#define COUNTED(n) (mode_of[p * TASKS_EACH + n] && hold_session[hold_of[p * TASKS_EACH + n]] == s && !hold_lost[hold_of[p * TASKS_EACH + n]])
#define HELD (USES(p * TASKS_EACH) || USES(p * TASKS_EACH + 1))
#define USES(h) (hold_count[h] > 0 && hold_session[h] == s)

inline note_death_of(s) {
	if
	:: mode_of[p * TASKS_EACH] == WRITE && hold_session[hold_of[p * TASKS_EACH]] == s && alive[s] -> must_tell = 1
	:: mode_of[p * TASKS_EACH + 1] == WRITE && hold_session[hold_of[p * TASKS_EACH + 1]] == s && alive[s] -> must_tell = 1
	:: else
	fi
}

/* The client ends the session, and does not look at what comes from it. Inside an atomic step. */
inline abandon_session() {
	if
	:: alive[s] -> note_death(s); end_session(s)
	:: else
	fi;
	do
	:: len(answer[s]) > 0 -> answer[s]?_, _, _, _
	:: else -> break
	od
}

#define RELEASED(how) (answer[s]?[RELEASE_READ, how, _, _] || answer[s]?[RELEASE_UPGRADABLE, how, _, _] || answer[s]?[RELEASE_WRITE, how, _, _])

/* The network, the operating system and other clients, for one session. */
proctype Around(byte s) {
	byte p = PROCESS_OF(s), i, j;

end_around:
	do
	/* The answer to a release, which no task waits for. */
	:: atomic { RELEASED(GRANTED) -> answer[s]?_, _, _, _; ahead[s]-- }
	/* Not released: the client ends the session, and with it a grant that came by what was not released. */
	:: atomic { RELEASED(FAILED) -> answer[s]?_, _, _, _; abandon_session() }
	/* pg_cancel_backend, by `main`: a cancel between two statements is lost. */
	:: atomic { cancelling[s] -> if :: running[s] -> cancelled[s] = 1 :: else fi; cancelling[s] = 0 } /* step: signal */
	:: atomic { cancels < CANCELS && running[s] -> cancels++; cancelled[s] = 1 }
	:: atomic { losses < LOSSES && alive[s] -> losses++; note_death(s); end_session(s) }
	/* Of a dead process. */
	:: atomic { alive[s] && dead[p] -> end_session(s) }
	/* The client learns of the end, and connects again. */
	:: atomic { GONE(s) && !lost[s] && !dead[p] -> lost[s] = 1; nobodys[s] = 0; lose_holds(p, s); assert(!COUNTED(0) && !COUNTED(1)) } /* step: learn */
	:: atomic { lost[s] && !running[s] && !busy[s] && !dead[p] && !(s == MAIN(p) && main_busy[p]) && !HELD ->
		do
		:: len(request[s]) > 0 -> request[s]?_, _
		:: else -> break
		od;
		lost[s] = 0; ahead[s] = 0; cancelling[s] = 0; alive[s] = 1 }
	od
}

proctype Killer() {
	byte i, j, p;

end_killer:
	do
	:: atomic { deaths < DEATHS ->
		deaths++;
		if :: p = 0 :: p = 1 fi;
		!dead[p] ->
		i = 0;
		do
		:: i < EACH -> j = MAIN(p) + i; note_death_of(j); i++
		:: else -> break
		od;
		dead[p] = 1; i = 0; j = 0 }
	od
}

#define FINISHED(t) (done[t] || dead[(t) / TASKS_EACH])
#define QUIET(s) (!running[s] && len(request[s]) == 0 && len(answer[s]) == 0)

/* Nothing is left when all are done. */
proctype Auditor() {
	byte i;

	FINISHED(0) && FINISHED(1) && FINISHED(2) && FINISHED(3);
	i = 0;
	do
	:: i < S -> (dead[PROCESS_OF(i)] && !alive[i]) || (!dead[PROCESS_OF(i)] && QUIET(i)); i++ /* step: quiet */
	:: else -> break
	od;
	i = 0;
	do
	:: i < S ->
		assert(!alive[i] || (shared[i] == 0 && !exclusive[i] && !u[i]));
		i++
	:: else -> break
	od;
	assert(dead[0] || (!writing[0] && !upgradable[0] && !upgrading[0] && reading[0] == 0 && !pending_read[0] && !joinable[0]));
	assert(dead[1] || (!writing[1] && !upgradable[1] && !upgrading[1] && reading[1] == 0 && !pending_read[1] && !joinable[1]));
	assert(!marked || may_tell)
}

#define DIGIT(n) ((KINDS / (n)) % 10)

init {
	byte i = 0;
	atomic {
		do
		:: i < S -> alive[i] = 1; run Server(i); run Around(i); i++
		:: else -> break
		od;
		if :: DIGIT(1) -> run Task(0, DIGIT(1)) :: else -> done[0] = 1 fi;
		if :: DIGIT(10) -> run Task(1, DIGIT(10)) :: else -> done[1] = 1 fi;
		if :: DIGIT(100) -> run Task(2, DIGIT(100)) :: else -> done[2] = 1 fi;
		if :: DIGIT(1000) -> run Task(3, DIGIT(1000)) :: else -> done[3] = 1 fi;
		if :: DEATHS > 0 -> run Killer() :: else fi;
		run Auditor()
	}
}

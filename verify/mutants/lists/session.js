// Faults in the engine over PostgreSQL, as `session.pml` models it.
import { after, becomes, code, macro, omits, point, replaces, skips, swaps } from '../operators.js'

/** @type {import('./model.js').ModelMutant[]} */
export const mutants = [
  {
    name: 'no local queue',
    breaks: 'two tasks of a process acquire the lock at once, although the locks of a session are re-entrant',
    change: [
      replaces(
        'Task',
        'mode == WRITE && !writing[p] && !upgradable[p] && reading[p] == 0 && !pending_read[p]',
        'mode == WRITE',
      ),
      // Else a session that waits is granted what the one beside it has.
      becomes(macro('IDLE_SESSION'), '0'),
      becomes(macro('CAN_BE_HAD'), '1'),
    ],
    bounds: 'KINDS=33',
  },
  {
    name: 'no cleanup',
    breaks: 'what a cancelled statement had locked is kept',
    change: [skips(point('unlock_all'))],
    bounds: 'KINDS=3003 GIVEN_UP=1',
    quick: true,
  },
  {
    name: 'a failed release',
    breaks: 'a release that was cancelled counts as one',
    change: [omits('Around', 'abandon_session')],
    bounds: 'KINDS=33 CANCELS=1',
    quick: true,
  },
  {
    name: 'the release is cancelled',
    breaks: 'a cancel is sent before the releases ahead have answered',
    change: [replaces('await_answer', '!cancelling[s] && ahead[s] == 0', '!cancelling[s]')],
    survives: 'the session ends, and with it the lock; only the next holder learns of a death that was none',
    bounds: 'KINDS=33 GIVEN_UP=1',
  },
  {
    name: 'one cancel',
    breaks: 'a cancel is sent once, although one that comes between two statements is lost',
    change: [
      replaces(
        'await_answer',
        'gave && !cancelling[s] && ahead[s] == 0 && alive[MAIN(p)] -> cancelling[s] = 1',
        'gave && !cancelling[s] && ahead[s] == 0 && alive[MAIN(p)] && j == 0 -> cancelling[s] = 1; j = 1',
      ),
    ],
    bounds: 'KINDS=303 GIVEN_UP=1 LINGER=2',
    quick: true,
  },
  {
    name: 'the next statement is cancelled',
    breaks: 'a session is used again while a cancel is on its way to it',
    change: [skips(point('cancel_answered')), omits('end_unless_granted', 'end_session')],
    bounds: 'KINDS=3003 GIVEN_UP=1',
    quick: true,
  },
  {
    name: 'what could not be undone',
    breaks: 'a session is used again although its cleanup has failed',
    change: [omits('end_unless_granted', 'end_session')],
    bounds: 'KINDS=3003 GIVEN_UP=1 CANCELS=1',
  },
  {
    name: 'a stale row',
    breaks: 'the row is read before the wait',
    change: [
      after(point('next_statement'), 'if :: statement < RELEASE_READ -> writer = marked :: else fi'),
      replaces('read_row', 'died = marked', 'died = writer'),
    ],
    bounds: 'KINDS=303 DEATHS=1',
  },
  {
    name: 'unlocked before the commit',
    breaks: 'the next holder sees the mark of a hold that has ended',
    change: [swaps(code('Server', 'clear_mark()'), code('Server', 'unlock_exclusive()'))],
    bounds: 'KINDS=303',
    quick: true,
  },
  {
    name: 'a death that nobody learns of',
    breaks: 'a grant that no task takes clears the mark of a dead writer',
    change: [replaces('Task', 'drop_hold(died)', 'drop_hold(0)')],
    bounds: 'KINDS=3303 DEATHS=1 GIVEN_UP=1',
  },
  {
    name: 'U is no lock',
    breaks: 'two processes hold the lock as upgradable',
    change: [becomes(macro('CAN_U'), '1')],
    bounds: 'KINDS=202',
  },
  {
    name: 'a failed upgrade loses the hold',
    breaks: 'what follows a cancelled upgrade unlocks more than what it had locked',
    change: [
      replaces(
        'Server',
        'statement == UNLOCK_EXCLUSIVE -> exclusive[s] = 0',
        'statement == UNLOCK_EXCLUSIVE -> exclusive[s] = 0; shared[s] = 0',
      ),
    ],
    bounds: 'KINDS=102 TURNS GIVEN_UP=1',
  },
  {
    name: 'a failed upgrade keeps its lock',
    breaks: 'what a cancelled upgrade had locked is kept',
    change: [
      replaces(
        'Server',
        'statement == UNLOCK_EXCLUSIVE -> exclusive[s] = 0',
        'statement == UNLOCK_EXCLUSIVE -> skip',
      ),
    ],
    bounds: 'KINDS=102 TURNS GIVEN_UP=1',
  },
  {
    name: 'readers join an upgrade',
    breaks: 'local readers share a hold that becomes one for writing',
    change: [
      replaces(
        'Task',
        'mode == READ && !writing[p] && !upgrading[p] && joinable[p]',
        'mode == READ && joinable[p]',
      ),
      replaces('Task', 'upgrading[p] = 1; joinable[p] = 0;', 'upgrading[p] = 1; joinable[p] = hold + 1;'),
    ],
    bounds: 'KINDS=12 TURNS',
  },
  {
    name: 'no try on main',
    breaks: 'with no session to spare, a task waits for one that only a hold behind it gives back',
    change: [becomes(macro('CAN_BE_HAD'), '0')],
    bounds: 'KINDS=11 LINGER=1',
    quick: true,
  },
  {
    name: 'not told of the loss',
    breaks: 'a hold does not learn that its session has ended',
    change: [skips(point('told_of_the_loss')), replaces('lose_holds', 'hold_lost[i] = 1', 'skip')],
    bounds: 'KINDS=3 LOSSES=1',
  },
  {
    name: 'a grant of a dead session',
    breaks: 'a task gets a hold of a session that has ended between the answer and the hold',
    change: [replaces('Task', 'atomic { !lost[s] -> if', 'atomic { true -> if')],
    bounds: 'KINDS=3 LOSSES=1',
    quick: true,
  },
]

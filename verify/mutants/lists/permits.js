// Faults in the limit of readers over PostgreSQL, as `permits.pml` models it.
import { becomes, macro, omits, point, replaces, skips, swaps } from '../operators.js'

/** @type {import('./model.js').ModelMutant[]} */
export const mutants = [
  {
    name: 'own permits',
    breaks: 'a try does not leave out the permits of its session, which the server grants again',
    change: [becomes(macro('OWN'), '0')],
    bounds: 'KINDS=2',
    quick: true,
  },
  {
    name: 'K is released first',
    breaks: 'a reader has a permit when it has released K, so a writer that becomes a reader finds no room',
    change: [swaps(point('end_permit'), point('end_shared'))],
    bounds: 'KINDS=31',
    quick: true,
  },
  {
    name: 'the head keeps K',
    breaks: 'a reader that found no permit has K while it sleeps',
    change: [skips(point('head_unshares'))],
    bounds: 'KINDS=31',
  },
  {
    name: 'the head keeps Q',
    breaks: 'a reader that was granted has Q',
    change: [skips(point('head_leaves'))],
    bounds: 'KINDS=11',
  },
  {
    name: 'a failed wait keeps its locks',
    breaks: 'what a waiting session had when its statement failed is kept',
    change: [omits('Session', 'unlock_all')],
    bounds: 'KINDS=11 CANCELS=1',
    quick: true,
  },
  {
    name: 'a failed try keeps its permit',
    breaks: 'what `main` had when a try failed is kept',
    change: [omits('Session', 'release_permit')],
    bounds: 'KINDS=12 CANCELS=1',
  },
  {
    name: '`main` goes on',
    breaks: '`main` has a hold and does not know whether its failed try got K: its session does not end',
    change: [omits('Session', 'end_session', 0)],
    bounds: 'KINDS=2 N=2 CANCELS=1',
  },
  {
    name: 'removal beside a reader that waits',
    breaks: 'a lock is removed without a look at Q',
    change: [replaces('Session', 'CAN_SHARE_Q(s) -> assert(!ANY(WAITS, s))', '1 -> assert(!ANY(WAITS, s))')],
    bounds: 'KINDS=511',
    quick: true,
  },
]

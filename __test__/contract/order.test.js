// The order of grants: first come, first served with fairness 0; no starvation.
import { setImmediate, setTimeout } from 'node:timers/promises'
import { waitFor } from '../helpers/index.js'
import { overtakings, queued } from '../helpers/observe.js'
import { random, SEED } from '../helpers/random.js'
import { contract } from './contract.js'
import { isFree, never, ops } from './modes.js'

contract(({ test, open, newRef, modes, stream, otherProcess, otherThread }) => {
  // ---- first come, first served

  test(
    'with fairness 0, the requests of a thread are granted in their order, adjacent readers together',
    ['upgradable', 'fairness'],
    async (t) => {
      const lock = open(t, undefined, { fairness: 0 })
      const log = []
      const use = (name, mode) =>
        lock[mode](async () => {
          log.push(`+${name}`)
          await setImmediate()
          log.push(`-${name}`)
        })
      const first = await lock.acquireWrite()
      const uses = [
        use('w1', 'write'),
        use('r2', 'read'),
        use('r3', 'read'),
        use('w4', 'write'),
        use('u5', 'upgradable'),
        use('w6', 'write'),
        use('r7', 'read'),
      ]
      await first.release()
      await Promise.all(uses)
      t.deepEqual(log, [
        ...['+w1', '-w1'],
        ...['+r2', '+r3', '-r2', '-r3'],
        ...['+w4', '-w4'],
        ...['+u5', '-u5'],
        ...['+w6', '-w6'],
        ...['+r7', '-r7'],
      ])
    },
  )

  test(
    'with fairness 0, 120 requests of a thread, of all modes and by two locks, are granted in their order',
    ['upgradable', 'fairness'],
    async (t) => {
      const ref = newRef(t)
      const locks = [0, 1].map(() => open(t, ref, { fairness: 0 }))
      t.log(`SEED=${SEED}`)
      const dice = random(SEED)
      const asked = Array.from({ length: 120 }, () => dice.pick([...modes]))
      const granted = []
      const first = await locks[0].acquireWrite()
      const uses = asked.map((mode, number) =>
        dice.pick(locks)[mode](async () => {
          granted.push(number)
          if (number % 3 > 0) await setImmediate()
        }),
      )
      await first.release()
      await Promise.all(uses)
      t.is(granted.length, asked.length)
      t.deepEqual(overtakings(asked, granted), [])
    },
  )

  test(
    'an upgradable request is granted together with the reads before and after it',
    ['upgradable', 'fairness'],
    async (t) => {
      const lock = open(t, undefined, { fairness: 0 })
      const first = await lock.acquireWrite()
      const waits = [lock.acquireRead(), lock.acquireUpgradable(), lock.acquireRead()]
      await first.release()
      const guards = await Promise.all(waits)
      t.deepEqual(
        guards.map(({ mode }) => mode),
        ['read', 'upgradable', 'read'],
      )
    },
  )

  for (const held of /** @type {const} */ (['read', 'upgradable'])) {
    test(
      `with fairness 0, new requests do not overtake a writer that waits for the end of a hold for ${held}`,
      held === 'read' ? ['fairness', 'processes'] : ['upgradable', 'fairness', 'processes', 'one queue'],
      async (t) => {
        const ref = newRef(t)
        const lock = open(t, ref, { fairness: 0 })
        const [holder, writer] = await Promise.all([otherProcess(t), otherProcess(t)])
        await holder.ask('hold', { ref, mode: held })
        await writer.ask('open', { ref, options: { fairness: 0 } })
        const waits = writer.ask('acquireWrite')
        await queued(lock, writer)

        t.is(await lock.tryRead(), null)
        if (modes.includes('upgradable')) t.is(await lock.tryUpgradable(), null)
        await t.throwsAsync(lock.read(never, { timeout: 60 }), { code: 'ERR_LOCK_TIMEOUT' })
        await holder.ask('release')
        t.is((await waits).mode, 'write')
        await writer.ask('release')
        t.is((await lock.tryRead())?.mode, 'read')
      },
    )
  }

  test(
    'the queue opens again when the waiter that closed it has left',
    ['fairness', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref, { fairness: 0 })
      const reader = await otherProcess(t)
      await reader.ask('hold', { ref, mode: 'read' })
      await t.throwsAsync(lock.write(never, { timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
      t.is((await lock.tryRead())?.mode, 'read')
      const other = await otherProcess(t)
      await other.ask('open', { ref })
      t.is((await other.ask('tryRead')).mode, 'read')
    },
  )

  // ---- no starvation

  // A lower bound: on an idle machine each round takes milliseconds.
  const ROUNDS = 5

  for (const [streaming, wanted] of /** @type {const} */ ([
    ['read', 'write'],
    ['read', 'upgradable'],
    ['write', 'read'],
    ['write', 'write'],
    ['upgradable', 'write'],
    ['upgradable', 'read'],
  ])) {
    const needs = /** @type {import('./engines.js').Capability[]} */ (
      [streaming, wanted].includes('upgradable') ? ['upgradable', 'processes'] : ['processes']
    )

    test(
      `a continuous stream of ${streaming} holds of several processes does not starve ${wanted}`,
      needs,
      async (t) => {
        const ref = newRef(t)
        const streams = await Promise.all(
          [3, 3, 3].map((lanes) => stream(t, { ref, mode: streaming, lanes, hold: 2 })),
        )
        const lock = open(t, ref)
        for (let round = 0; round < ROUNDS; round++) {
          await lock[wanted]((guard) => t.is(guard.mode, wanted), { timeout: 10_000 })
          await setTimeout(2)
        }
        // The stream is not starved either.
        for (const { stop } of streams) t.true((await stop()) > 0)
      },
    )

    test(
      `a continuous stream of ${streaming} holds of this thread does not starve ${wanted}, in this process or in others`,
      needs,
      async (t) => {
        const ref = newRef(t)
        const lock = open(t, ref)
        let stopped = false
        let count = 0
        const lanes = [0, 1, 2].map(async (lane) => {
          await setTimeout(lane * 3)
          while (!stopped) {
            await lock[streaming](() => setTimeout(9))
            count++
          }
        })
        await waitFor(() => count >= 3)
        const child = await otherProcess(t)
        await child.ask('open', { ref })
        for (let round = 0; round < ROUNDS; round++) {
          await lock[wanted]((guard) => t.is(guard.mode, wanted), { timeout: 10_000 })
          t.is((await child.ask(ops[wanted].acquire, { options: { timeout: 10_000 } })).mode, wanted)
          await child.ask('release')
        }
        stopped = true
        await Promise.all(lanes)
        t.true(await isFree(lock))
      },
    )
  }

  // ---- many

  test(
    'many waits of every mode, in threads and processes, are all granted',
    ['processes', 'threads'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const others = await Promise.all([otherProcess(t), otherProcess(t), otherThread(t)])
      await Promise.all(others.map((other) => other.ask('open', { ref })))
      const writer = await lock.acquireWrite()
      let served = 0
      const here = Array.from({ length: 300 }, (_, i) =>
        lock[modes[i % modes.length]](async () => {
          if (i % 10 === 0) await setImmediate()
          served++
        }),
      )
      const elsewhere = others.map(async (other) => {
        for (let i = 0; i < 20; i++) {
          const { guard } = await other.ask(ops[modes[i % modes.length]].acquire)
          await other.ask('release', { guard })
          served++
        }
      })
      await Promise.all(others.map((other) => queued(lock, other)))
      await writer.release()
      await Promise.all([...here, ...elsewhere])
      t.is(served, 360)
      t.deepEqual((await lock.inspect()).waiters, [])
      t.true(await isFree(lock))
    },
  )
})

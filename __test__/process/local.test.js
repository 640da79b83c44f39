// local(): values of one thread of one process.
import { once } from 'node:events'
import { inspect } from 'node:util'
import v8 from 'node:v8'
import vm from 'node:vm'
import { Worker } from 'node:worker_threads'
import { local } from 'process-rwlock'
import { cleanUp } from '../helpers/cleanup.js'
import { spawnNode, test } from '../helpers/index.js'
import { bare, mine } from './programs/local-objects.js'

/** @param {any} value */
const any = (value) => value
const script = new URL('./programs/receives-local-objects.js', import.meta.url)

/** What `receives-local-objects.js` sees of the two objects: nothing. */
const EMPTY = [
  ['bare', [], undefined, undefined],
  ['mine', [], undefined, undefined],
]

/** Gives both objects values, so that something could be handed over. */
function fill() {
  mine.number = 42
  bare.text = 'secret'
  bare.nested = { mine }
}

test('a worker thread that is handed local objects finds them empty, and has its own', async (t) => {
  fill()
  const worker = new Worker(script, { workerData: { bare, mine } })
  cleanUp(t, 'processes', () => worker.terminate())
  worker.postMessage({ bare, mine })
  const [found] = await once(worker, 'message')
  t.deepEqual(found, { byData: EMPTY, byMessage: EMPTY, own: [1, []] })
  t.is(mine.number, 42)
  t.is(bare.text, 'secret')
})

for (const serialization of /** @type {const} */ (['json', 'advanced'])) {
  test(`so does a child process, by ${serialization} messages and by arguments`, async (t) => {
    fill()
    const child = spawnNode(t, script, [JSON.stringify({ bare, mine })], { serialization })
    child.send({ bare, mine })
    const { byArgument, byMessage, own } = await child.next('done')
    const seen = (found) => JSON.parse(JSON.stringify(found))
    t.deepEqual(seen(byArgument), seen(EMPTY))
    t.deepEqual(seen(byMessage), seen(EMPTY))
    t.deepEqual(own, [1, []])
    t.is(mine.number, 42)
  })
}

test('every kind of copy is an empty object', (t) => {
  const object = local(() => ({ a: 1, 7: 'seven', nested: { b: 2 } }))
  any(object).later = 3
  for (const copy of [
    structuredClone(object),
    v8.deserialize(v8.serialize(object)),
    JSON.parse(JSON.stringify(object)),
    { ...object },
    Object.assign({}, object),
  ]) {
    t.deepEqual(Reflect.ownKeys(copy), [])
    t.is(Object.getPrototypeOf(copy), Object.prototype)
  }
  t.deepEqual(structuredClone({ list: [object] }), { list: [{}] })
  t.is(any(object).later, 3)
})

test('values are got, set, changed, deleted and found as those of any object', (t) => {
  const key = Symbol('key')
  /** @type {any} */
  const object = local()
  t.is(object.count, undefined)
  t.false('count' in object)
  object.count = 1
  object.count++
  object.count += 2
  object[key] = 'symbol'
  object[0] = 'index'
  t.is(object.count, 4)
  t.true('count' in object && key in object && 0 in object)
  t.true(Object.hasOwn(object, 'count'))
  t.deepEqual(Reflect.ownKeys(object), ['0', 'count', key])
  t.true(delete object.count)
  t.false('count' in object)
  t.is(object.count, undefined)
  Object.assign(object, { a: 1, b: 2 })
  t.deepEqual([object.a, object.b], [1, 2])
  object.undefined = undefined
  t.true('undefined' in object)
  t.is(String(object), '[object Object]')
  t.true(object instanceof Object)
  t.is(Object.hasOwn(object, 'a'), true)
})

test('values are not enumerable, whatever sets them', (t) => {
  const object = local(() => ({ a: 1 }))
  any(object).b = 2
  object.a = 3
  Object.assign(object, { c: 4 })
  t.deepEqual(Object.keys(object), [])
  const found = []
  for (const key in object) found.push(key)
  t.deepEqual(found, [])
})

test('two local objects share nothing', (t) => {
  const [one, other] = [local(() => ({ a: 1 })), local(() => ({ a: 1 }))]
  one.a = 2
  any(one).b = 3
  t.is(other.a, 1)
  t.false('b' in other)
})

// ---- the first values

/** The uses of which the first one calls init. @type {Record<string, (object: any) => unknown>} */
const USES = {
  get: (object) => object.a,
  'get of what is not there': (object) => object.x,
  set: (object) => {
    object.b = 2
  },
  'set of what init sets': (object) => {
    object.a = 5
  },
  in: (object) => 'a' in object,
  assign: (object) => Object.assign(object, { b: 2 }),
}

for (const [use, run] of Object.entries(USES)) {
  test(`init is called once, at the first use: ${use}`, (t) => {
    let calls = 0
    const object = local(() => {
      calls++
      return { a: 1 }
    })
    t.is(calls, 0)
    run(object)
    t.is(calls, 1)
    t.is(object.a, use === 'set of what init sets' ? 5 : 1)
    run(object)
    run(object)
    t.is(calls, 1)
  })
}

test('what init returns keeps its accessors, methods and symbols', (t) => {
  const key = Symbol('key')
  const object = local(() => ({
    count: 1,
    get double() {
      return this.count * 2
    },
    set half(value) {
      this.count = value / 2
    },
    increment() {
      this.count++
    },
    [key]: 'symbol',
  }))
  object.half = 8
  t.is(object.count, 4)
  object.increment()
  t.is(object.double, 10)
  t.is(object[key], 'symbol')
  t.deepEqual(structuredClone(object), any({}))
})

test('the object that init returned is not used further', (t) => {
  const first = { a: 1 }
  const object = local(() => first)
  t.not(object, first)
  object.a = 2
  t.is(first.a, 1)
})

test('if init throws, so does the use, and the next use calls it again', (t) => {
  let calls = 0
  const error = new Error('not yet')
  const object = local(() => {
    if (++calls === 1) throw error
    return { a: 1 }
  })
  t.is(
    t.throws(() => object.a),
    error,
  )
  t.is(object.a, 1)
  t.is(calls, 2)
})

test('init may use the object, which is empty until then', (t) => {
  /** @type {any} */
  const object = local(() => {
    const before = Reflect.ownKeys(object)
    object.early = object.late
    return { before, late: 'late' }
  })
  t.deepEqual(object.before, [])
  t.is(object.early, undefined)
  t.true('early' in object)
  t.is(object.late, 'late')
})

test('init must return a plain object, of whatever realm', (t) => {
  const realm = vm.createContext({})
  for (const init of [
    () => Object.create(null, { a: { value: 1 } }),
    () => vm.runInContext('({ a: 1 })', realm),
    () => Object.freeze({ a: 1 }),
  ]) {
    t.is(local(init).a, 1)
  }
  class Connection {}
  for (const value of [
    undefined,
    null,
    1,
    'text',
    [],
    new Map(),
    new Connection(),
    Promise.resolve({}),
    () => {},
    vm.runInContext('[]', realm),
  ]) {
    const object = local(() => any(value))
    t.throws(() => object.a, {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /init returns must be a plain object\. Received .*local\(\(\) => \(\{ value \}\)\)/,
    })
  }
})

test('init must be a function', (t) => {
  for (const init of [null, {}, 'text']) {
    t.throws(() => local(any(init)), { code: 'ERR_INVALID_ARG_TYPE', message: /init must be a function/ })
  }
})

test('console.log shows the values, and neither calls init nor fails', (t) => {
  let calls = 0
  t.is(
    inspect(
      local(() => {
        throw new Error('in init')
      }),
    ),
    'local {}',
  )
  const object = local(() => {
    calls++
    return { a: 1, b: [2] }
  })
  t.is(inspect(object), 'local {}')
  t.is(calls, 0)
  t.is(object.a, 1)
  t.is(inspect(object), 'local { a: 1, b: [ 2 ] }')
  t.is(inspect({ deep: { object } }, { depth: 1 }), '{ deep: { object: [local] } }')
})

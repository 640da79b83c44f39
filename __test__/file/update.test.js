// process-rwlock/file: what an update does to the content of a file.
import { mkdirSync, promises, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { LockError } from 'process-rwlock'
import {
  forFile,
  readJSON,
  readJSONSync,
  updateFile,
  updateFileSync,
  updateJSON,
  updateJSONSync,
} from 'process-rwlock/file'
import { tempDir, test, waitFor } from '../helpers/index.js'

const forms = {
  async: updateJSON,
  sync: async (...args) => updateJSONSync(.../** @type {[any, any]} */ (args)),
}
const reading = { async: readJSON, sync: async (...args) => readJSONSync(.../** @type {[any]} */ (args)) }

/** A file in a directory of its own, with this content if any is given. */
function newFile(t, content, name = 'a.json') {
  const file = join(tempDir(t), name)
  if (content !== undefined) writeFileSync(file, content)
  return file
}
const text = (file) => readFileSync(file, 'utf8')

for (const [form, update] of Object.entries(forms)) {
  const read = reading[form]

  test(`the value that the function returns replaces the old one (${form})`, async (t) => {
    const file = newFile(t, '{"a":1}')
    t.deepEqual(await update(file, (value) => ({ ...value, b: 2 })), { a: 1, b: 2 })
    t.is(text(file), '{"a":1,"b":2}')
    t.deepEqual(await read(file), { a: 1, b: 2 })
    t.deepEqual(readdirSync(join(file, '..')), ['a.json'])
  })

  test(`if it returns nothing, the changed argument is written (${form})`, async (t) => {
    const file = newFile(t, '{"a":1}')
    const result = await update(file, (value) => {
      value.b = 2
    })
    t.deepEqual(result, { a: 1, b: 2 })
    t.is(text(file), '{"a":1,"b":2}')
    t.is(await update(file, () => null), null, 'null is a value')
    t.is(text(file), 'null')
  })

  test(`if it throws, the file is unchanged, and the lock free (${form})`, async (t) => {
    const file = newFile(t, '{"a":1}')
    const thrown = new Error('thrown')
    const fails = (value) => {
      value.a = 2
      throw thrown
    }
    t.is(await t.throwsAsync(update(file, fails)), thrown)
    t.is(text(file), '{"a":1}')
    t.deepEqual(readdirSync(join(file, '..')), ['a.json'])
    t.deepEqual(await update(file, () => ({}), { timeout: 0 }), {})
  })

  test(`a missing file is an error, unless there is a default (${form})`, async (t) => {
    const file = newFile(t)
    for (const attempt of [read(file), update(file, () => t.fail())]) {
      await t.throwsAsync(attempt, { code: 'ENOENT' })
    }
    t.false(readdirSync(join(file, '..')).length > 0)
    t.deepEqual(await read(file, { default: { n: 0 } }), { n: 0 })
    t.deepEqual(await update(file, () => {}, { default: { n: 0 } }), { n: 0 })
    t.is(text(file), '{\n  "n": 0\n}\n')
    const noFolder = join(file, '../missing/a.json')
    await t.throwsAsync(
      update(noFolder, () => t.fail(), { default: 0 }),
      { code: 'ENOENT' },
    )
  })

  test(`a default serves an empty file, which is not valid JSON otherwise (${form})`, async (t) => {
    for (const empty of ['', ' \n', '\uFEFF']) {
      const file = newFile(t, empty)
      for (const attempt of [read(file), update(file, () => t.fail())]) {
        const error = await t.throwsAsync(attempt, { code: 'ERR_LOCK_INVALID_CONTENT' })
        t.regex(error.message, /the file is empty/)
      }
      t.is(text(file), empty)
      t.is(await read(file, { default: 5 }), 5)
      t.is(await update(file, (n) => n + 1, { default: 5 }), 6)
      t.is(text(file), '6\n')
    }
  })

  test(`a default is copied for each call (${form})`, async (t) => {
    const initial = { list: [] }
    const file = newFile(t)
    const add = (value) => void value.list.push(1)
    await update(file, add, { default: initial })
    t.deepEqual(initial, { list: [] })
    const other = newFile(t)
    const result = await read(other, { default: initial })
    result.list.push(2)
    t.deepEqual(initial, { list: [] })
    await t.throwsAsync(
      update(other, () => {}, { default: () => {} }),
      { code: 'ERR_INVALID_ARG_VALUE' },
    )
  })

  test(`a file that is not valid JSON is an error that names file and position (${form})`, async (t) => {
    const content = '{\r\n  "a": 1,\n  "b": tru\n}'
    const file = newFile(t, content)
    for (const attempt of [read(file), update(file, () => t.fail(), { default: {} })]) {
      const error = /** @type {LockError} */ (
        await t.throwsAsync(attempt, { instanceOf: LockError, code: 'ERR_LOCK_INVALID_CONTENT' })
      )
      t.regex(error.message, /a\.json:3:8: this is not valid JSON: "tru/)
      const { path = '', line, column } = error
      t.deepEqual([text(path), line, column], [content, 3, 8])
      t.true(error.cause instanceof SyntaxError)
    }
    t.is(text(file), content)
  })

  test(`a file that is not valid UTF-8 is an error (${form})`, async (t) => {
    const bytes = Buffer.concat([Buffer.from('{\n"a": "'), Buffer.from([0xe9]), Buffer.from('"}')])
    const file = newFile(t, bytes)
    for (const attempt of [read(file), update(file, (value) => ({ ...value, b: 1 }))]) {
      const error = await t.throwsAsync(attempt, { code: 'ERR_LOCK_INVALID_CONTENT' })
      t.regex(error.message, /:2:7: it is not valid utf8/)
    }
    t.deepEqual(readFileSync(file), bytes)
  })

  test(`a value that JSON cannot represent is an error, and nothing is written (${form})`, async (t) => {
    const file = newFile(t, '[1]')
    const circular = /** @type {any} */ ([])
    circular.push(circular)
    await t.throwsAsync(
      update(file, () => () => {}),
      { code: 'ERR_INVALID_ARG_VALUE' },
    )
    await t.throwsAsync(
      update(file, () => circular),
      { instanceOf: TypeError },
    )
    await t.throwsAsync(
      update(file, () => [1n]),
      { instanceOf: TypeError },
    )
    t.is(text(file), '[1]')
  })

  test(`nothing is written if nothing changed, however the file is formatted (${form})`, async (t) => {
    for (const content of ['{"a":1}', '{ "a":\n1.0, "b" : "\\u0041" }', '\uFEFF[1,\r\n2]\r\n\r\n', '5']) {
      const file = newFile(t, content)
      utimesSync(file, 1000, 1000)
      const { ino } = statSync(file)
      await update(file, () => {})
      await update(file, (value) => structuredClone(value), { indent: 4, backup: true })
      t.is(text(file), content)
      const after = statSync(file)
      t.deepEqual([after.ino, after.mtimeMs], [ino, 1_000_000])
      t.deepEqual(readdirSync(join(file, '..')), ['a.json'])
    }
  })

  test(`indentation, line ends, byte order mark and final newline are kept (${form})`, async (t) => {
    const add = (value) => void value.push(2)
    for (const [before, after] of [
      ['[1]', '[1,2]'],
      ['[1]\n', '[1,2]\n'],
      ['[\n\t1\n]', '[\n\t1,\n\t2\n]'],
      ['[\n    1\n]\n\n', '[\n    1,\n    2\n]\n\n'],
      ['\uFEFF[\r\n  1\r\n]\r\n', '\uFEFF[\r\n  1,\r\n  2\r\n]\r\n'],
      ['[1,\n 1]\n', '[\n  1,\n  1,\n  2\n]\n'],
      ['[]', '[\n  2\n]'],
      ['[ ]\n', '[\n  2\n]\n'],
    ]) {
      const file = newFile(t, before)
      await update(file, add)
      t.is(text(file), after)
    }
    const file = newFile(t, '[1]')
    await update(file, add, { indent: '\t' })
    t.is(text(file), '[\n\t1,\n\t2\n]')
    await update(file, add, { indent: 0 })
    t.is(text(file), '[1,2,2]')
  })

  test(`the old content is kept as a backup if asked for (${form})`, async (t) => {
    const file = newFile(t, '{"a":1}')
    await update(file, () => ({ a: 2 }))
    t.deepEqual(readdirSync(join(file, '..')), ['a.json'])
    await update(file, () => ({ a: 3 }), { backup: true })
    await update(file, () => ({ a: 4 }), { backup: true })
    t.is(text(file), '{"a":4}')
    t.is(text(`${file}.bak`), '{"a":3}')
    writeFileSync(file, '')
    await update(file, () => ({ a: 5 }), { backup: true, default: 0 })
    t.is(text(`${file}.bak`), '{"a":3}', 'nothing is no backup')
    t.deepEqual(readdirSync(join(file, '..')), ['a.json', 'a.json.bak'])
  })

  test(`a file of 50 MB is updated (${form})`, async (t) => {
    t.timeout(60_000)
    const file = newFile(t, JSON.stringify(Array(500_000).fill('x'.repeat(97))))
    t.true(statSync(file).size >= 50_000_000)
    const { length } = await update(file, (value) => void value.push('last'))
    t.is(length, 500_001)
    t.is((await read(file)).at(-1), 'last')
  })

  test(`what is no regular file is an error (${form})`, async (t) => {
    const dir = tempDir(t)
    await t.throwsAsync(
      update(dir, () => t.fail(), { default: 0 }),
      { code: process.platform === 'win32' ? 'EPERM' : 'EISDIR' },
    )
    if (process.platform === 'win32') return
    await t.throwsAsync(
      update('/dev/null', () => t.fail(), { default: 0 }),
      { code: 'ERR_INVALID_ARG_VALUE', message: /must be a regular file/ },
    )
  })

  test(`arguments are checked (${form})`, async (t) => {
    const file = newFile(t, '1')
    const same = () => {}
    for (const [code, ...args] of /** @type {[string, ...any[]][]} */ ([
      ['ERR_INVALID_ARG_TYPE', 5, same],
      ['ERR_INVALID_ARG_TYPE', Buffer.from(file), same],
      ['ERR_INVALID_ARG_VALUE', '', same],
      ['ERR_INVALID_ARG_VALUE', 'a\0b', same],
      ['ERR_INVALID_URL_SCHEME', new URL('https://localhost/'), same],
      ['ERR_INVALID_ARG_TYPE', file, undefined],
      ['ERR_INVALID_ARG_TYPE', file, same, 5],
      ['ERR_INVALID_ARG_TYPE', file, same, { mode: '600' }],
      ['ERR_INVALID_ARG_VALUE', file, same, { mode: 0o10000 }],
      ['ERR_INVALID_ARG_TYPE', file, same, { backup: 'yes' }],
      ['ERR_INVALID_ARG_TYPE', file, same, { beside: 1 }],
      ['ERR_INVALID_ARG_TYPE', file, same, { indent: null }],
      ['ERR_INVALID_ARG_VALUE', file, same, { indent: '--' }],
      ['ERR_INVALID_ARG_VALUE', file, same, { timeout: -1 }],
      ['ERR_INVALID_ARG_TYPE', file, same, { signal: {} }],
      ['ERR_INVALID_ARG_TYPE', file, same, { label: 1 }],
    ])) {
      await t.throwsAsync(/** @type {any} */ (update)(...args), { code }, JSON.stringify(args))
    }
    for (const [code, ...args] of /** @type {[string, ...any[]][]} */ ([
      ['ERR_INVALID_ARG_TYPE', 5],
      ['ERR_INVALID_ARG_VALUE', ''],
      ['ERR_INVALID_ARG_TYPE', file, 'utf8'],
    ])) {
      await t.throwsAsync(/** @type {any} */ (read)(...args), { code }, JSON.stringify(args))
    }
  })
}

test('an async function is awaited, and is an error in a synchronous update', async (t) => {
  const file = newFile(t, '{"a":1}')
  await updateJSON(file, async (value) => {
    await new Promise((resolve) => setTimeout(resolve, 10))
    value.a = 2
  })
  t.is(text(file), '{"a":2}')
  const fails = updateJSON(file, () => Promise.reject(new Error('rejected')))
  await t.throwsAsync(fails, { message: 'rejected' })
  t.throws(() => updateJSONSync(file, /** @type {any} */ (async () => 3)), {
    code: 'ERR_INVALID_ARG_VALUE',
    message: /use updateJSON\(\)/,
  })
  t.is(text(file), '{"a":2}')
})

test('many updates at once of one file, by every path, come one after the other', async (t) => {
  const file = newFile(t, '{"n":0}')
  const paths = [file, pathToFileURL(file), `${join(file, '..')}/./a.json`, `${join(file, '..')}//a.json`]
  await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      updateJSON(paths[i % paths.length], async (value) => {
        await new Promise((resolve) => setImmediate(resolve))
        value.n++
      }),
    ),
  )
  t.is(text(file), '{"n":40}')
})

test('an update waits for the lock of its file, as its options say; a read does not', async (t) => {
  const file = newFile(t, '{"a":1}')
  const lock = forFile(file)
  const guard = await lock.acquireWrite()
  const same = () => {}
  await t.throwsAsync(updateJSON(file, same, { timeout: 0 }), { code: 'ERR_LOCK_TIMEOUT' })
  await t.throwsAsync(updateJSON(file, same, { timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
  t.throws(() => updateJSONSync(file, same), { code: 'ERR_LOCK_DEADLOCK' })
  const controller = new AbortController()
  const waiting = updateJSON(file, () => t.fail(), { signal: controller.signal, label: 'the update' })
  await waitFor(() => lock.inspect().waiters.length === 1)
  t.deepEqual(await readJSON(file), { a: 1 })
  t.deepEqual(readJSONSync(file), { a: 1 })
  const reason = new Error('aborted')
  controller.abort(reason)
  t.is(await t.throwsAsync(waiting), reason)
  guard.release()

  const aborted = updateJSON(file, () => t.fail(), { signal: AbortSignal.abort(reason) })
  t.is(await t.throwsAsync(aborted), reason)
  await updateJSON(
    file,
    () => {
      const [{ mode, label }] = lock.inspect().holders
      t.deepEqual([mode, label], ['write', 'the update'])
    },
    { label: 'the update' },
  )
  lock.close()
})

test('an abort before the function begins is in time, after that it is not', async (t) => {
  const file = newFile(t, '1')
  const controller = new AbortController()
  const reason = new Error('aborted')
  const options = {
    get signal() {
      return controller.signal
    },
  }
  const { readdir } = promises
  promises.readdir = /** @type {any} */ (
    (path) => {
      controller.abort(reason) // the lock is held, but the file has not been read yet
      return readdir(path)
    }
  )
  try {
    const early = updateJSON(file, () => t.fail(), options)
    t.is(await t.throwsAsync(early), reason)
  } finally {
    promises.readdir = readdir
  }

  const late = new AbortController()
  const finished = updateJSON(
    file,
    async () => {
      late.abort(reason)
      return 2
    },
    { signal: late.signal },
  )
  t.is(await finished, 2)
  t.is(text(file), '2')
})

test('a file of text or bytes', async (t) => {
  const file = newFile(t, undefined, 'a.txt')
  await t.throwsAsync(
    updateFile(file, () => t.fail()),
    { code: 'ENOENT' },
  )
  t.is(await updateFile(file, (content) => `${content}ä`, { encoding: 'utf8', default: 'b' }), 'bä')
  t.is(text(file), 'bä')
  t.is(await updateFile(file, (content) => content.toUpperCase(), 'utf8'), 'BÄ')
  t.is(
    updateFileSync(file, (content) => `${content}!`, { encoding: 'utf8' }),
    'BÄ!',
  )
  t.is(
    updateFileSync(file, () => {}, 'latin1'),
    'BÃ\u0084!',
  )

  const bytes = await updateFile(file, (content) => {
    t.true(Buffer.isBuffer(content))
    content[0] = 0x43
  })
  t.deepEqual(bytes, Buffer.from('CÄ!'))
  t.is(text(file), 'CÄ!')
  t.deepEqual(
    updateFileSync(file, () => new Uint8Array([0, 255])),
    Buffer.from([0, 255]),
  )
  t.deepEqual(readFileSync(file), Buffer.from([0, 255]))
  t.deepEqual(await updateFile(file, () => 'text'), Buffer.from('text'))
  t.deepEqual(
    updateFileSync(file, () => ''),
    Buffer.alloc(0),
  )
  t.is(
    await updateFile(file, (content) => content, { encoding: 'utf8', default: 'x' }),
    '',
    'empty is content',
  )
  t.deepEqual(readdirSync(join(file, '..')), ['a.txt'])
})

test('text that is not valid in its encoding is an error; the same bytes are not written', async (t) => {
  const file = newFile(t, Buffer.from([0x61, 0x0a, 0xff]), 'a.txt')
  const error = await t.throwsAsync(
    updateFile(file, () => t.fail(), 'utf8'),
    { code: 'ERR_LOCK_INVALID_CONTENT' },
  )
  t.regex(error.message, /a\.txt:2:1: it is not valid utf8/)
  utimesSync(file, 1000, 1000)
  await updateFile(file, (content) => content, 'latin1')
  await updateFile(file, (content) => Uint8Array.from(content))
  t.is(statSync(file).mtimeMs, 1_000_000)
})

test('arguments of updateFile are checked', async (t) => {
  const file = newFile(t, 'a')
  const same = () => {}
  for (const [code, ...args] of /** @type {[string, ...any[]][]} */ ([
    ['ERR_INVALID_ARG_TYPE', 5, same],
    ['ERR_INVALID_ARG_TYPE', file],
    ['ERR_INVALID_ARG_TYPE', file, same, 5],
    ['ERR_INVALID_ARG_VALUE', file, same, 'utf-9'],
    ['ERR_INVALID_ARG_TYPE', file, same, { encoding: 8 }],
    ['ERR_INVALID_ARG_TYPE', file, same, { default: {} }],
    ['ERR_INVALID_ARG_TYPE', file, () => 5],
    ['ERR_INVALID_ARG_TYPE', file, () => null],
  ])) {
    await t.throwsAsync(/** @type {any} */ (updateFile)(...args), { code }, JSON.stringify(args))
    t.throws(() => /** @type {any} */ (updateFileSync)(...args), { code }, JSON.stringify(args))
  }
  t.throws(() => updateFileSync(file, /** @type {any} */ (async () => '')), { code: 'ERR_INVALID_ARG_VALUE' })
  t.is(text(file), 'a')
})

test('the position of an error in JSON is that of the first character that cannot be', async (t) => {
  const dir = tempDir(t)
  mkdirSync(join(dir, 'x'))
  const file = join(dir, 'a.json')
  for (const [content, line, column] of /** @type {[string, number, number][]} */ ([
    ['x', 1, 1],
    ['{', 1, 2],
    ['[1,', 1, 4],
    ['[1,]', 1, 4],
    ['{"a":1,}', 1, 8],
    ['{"a" 1}', 1, 6],
    ['{a:1}', 1, 2],
    ['[1 2]', 1, 4],
    ['[1}', 1, 3],
    ['{"a":[{"b":{}}]]', 1, 16],
    ['1 2', 1, 3],
    ['[01]', 1, 3],
    ['[1.]', 1, 3],
    ['[-]', 1, 2],
    ['["a\n"]', 1, 4],
    ['["\\x"]', 1, 3],
    ['["abc', 1, 6],
    ['// comment\n{}', 1, 1],
    ['{\n  "a": 1, // comment\n}', 2, 11],
    ['[\n{"a":\n"\u{1F600}",,', 3, 6],
    ["{'a':1}", 1, 2],
    ['\uFEFF\uFEFF1', 1, 2],
    ['[nul]', 1, 2],
    ['[nulls]', 1, 6],
    ['['.repeat(50_000), 1, 50_001],
  ])) {
    writeFileSync(file, content)
    const error = await t.throwsAsync(readJSON(file), { code: 'ERR_LOCK_INVALID_CONTENT' })
    const { line: atLine, column: atColumn } = /** @type {LockError} */ (error)
    t.deepEqual([atLine, atColumn], [line, column], content.slice(0, 30))
  }
})

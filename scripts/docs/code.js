// npm run test:docs: runs every example, and every code block of README.md, docs/ and
// examples/README.md.
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { noPostgres } from '../../__test__/helpers/postgres/programs.js'
import { readArguments } from '../lib/arguments.js'
import { codeBlocks, notPrinted } from '../lib/code-blocks.js'
import { nodeOf } from '../lib/node-versions.js'
import { root } from '../lib/run.js'
import { setup } from '../lib/setup.js'
import { documents } from './documents.js'

const HELP = `
npm run test:docs   runs every example, and every code block of the documentation

The fence of a code block says how it is checked:
  js run               a program
  js run=lock          a program after: import { RWLock } from 'process-rwlock'; const lock = new RWLock()
  js from=cluster.js   part of that example; a line "// …" stands for lines that are left out
  js parse             part of a program that needs another package: only its syntax is checked
  json                 is parsed

The text after "console.log(…) //" must be printed; "…" in it stands for any text.
`

const PRELUDE = `import { RWLock } from 'process-rwlock'\nconst lock = new RWLock()\n`
const TIME_LIMIT = 20_000 // ms for one program
const NEWER = new Map([['sqlite.js', '24']]) // examples that need a newer Node.js than 20

readArguments(HELP, {})
await setup()

const checkout = fileURLToPath(root)
const examples = join(checkout, 'examples')
const directory = mkdtempSync(join(tmpdir(), 'process-rwlock-code-'))
let failures = 0
const postgres = await startPostgres()

try {
  // The blocks import the package by its name, as users do.
  mkdirSync(join(directory, 'node_modules'))
  symlinkSync(checkout, join(directory, 'node_modules/process-rwlock'), 'junction')
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')

  const files = readdirSync(examples).filter((name) => name.endsWith('.js'))
  for (const name of [...files, 'using/main.js']) {
    const major = NEWER.get(name)
    runProgram(name, join(examples, name), major && (await nodeOf(major)))
  }
  for (const name of ['using/typescript.ts', 'locked.ts']) {
    runProgram(name, compiled(join(examples, name)))
  }

  for (const document of documents().filter((name) => /^(README|(docs|examples)\/.*)\.md$/.test(name))) {
    for (const { line, language, mark, code } of codeBlocks(document)) {
      checkBlock(`${document}:${line}`, language, mark, code)
    }
  }
  for (const name of files) {
    const shown = documents().some((document) =>
      readFileSync(join(checkout, document), 'utf8').includes(name),
    )
    if (!shown) result(name, false, 'no document mentions it')
  }
} finally {
  await postgres?.destroy()
  rmSync(directory, { recursive: true })
}
console.log(failures === 0 ? 'All examples and code blocks run.' : `${failures} of them failed.`)
process.exitCode = failures === 0 ? 0 : 1

/** A server for the programs that connect to DATABASE_URL. */
async function startPostgres() {
  if (noPostgres) return
  const { PostgresServer } = await import('../../__test__/helpers/postgres/server.js') // setup() has installed pg
  const server = new PostgresServer()
  await server.create()
  process.env.DATABASE_URL = server.url()
  return server
}

/**
 * @param {string} where
 * @param {string} language
 * @param {string} mark
 * @param {string} code
 */
function checkBlock(where, language, mark, code) {
  if (mark.startsWith('from=')) {
    if (!existsSync(join(examples, mark.slice(5))))
      return result(where, false, `there is no ${mark.slice(5)}`)
    const source = plain(readFileSync(join(examples, mark.slice(5)), 'utf8'))
    const missing = code.split(/^\s*\/\/ …\n/m).find((part) => !source.includes(plain(part)))
    return result(where, missing === undefined, `this is not in ${mark.slice(5)}:\n${missing}`)
  }
  if (language === 'json') return parseJSON(where, code)
  if (language === 'js' && ['run', 'run=lock', 'parse'].includes(mark)) {
    const file = join(directory, `${where.replace(/[:/]/g, '-')}.js`)
    writeFileSync(file, mark === 'run=lock' ? PRELUDE + code : code)
    return mark === 'parse' ? parse(where, file) : runProgram(where, file)
  }
  result(where, false, 'its fence does not say how to check it')
}

/** @param {string} name @param {string} text */
function parseJSON(name, text) {
  try {
    JSON.parse(text)
    result(name, true, '')
  } catch (error) {
    result(name, false, error.message)
  }
}

/** @param {string} name @param {string} file */
function parse(name, file) {
  const { status, stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' })
  result(name, status === 0, stderr)
}

/** @param {string} name @param {string} file @param {string} [node] the program that runs it */
function runProgram(name, file, node = process.execPath) {
  if (!postgres && readFileSync(file, 'utf8').includes('DATABASE_URL')) {
    console.log(`skipped ${name}: ${noPostgres}`)
    return
  }
  const { status, signal, stdout, stderr } = spawnSync(node, [file], {
    cwd: directory,
    encoding: 'utf8',
    timeout: TIME_LIMIT,
    killSignal: 'SIGKILL',
  })
  if (status !== 0) return result(name, false, `${signal ?? `exit code ${status}`}\n${stdout}${stderr}`)
  const missing = notPrinted(readFileSync(file, 'utf8'), stdout)
  result(name, missing === undefined, `it printed, without ${missing}:\n${stdout}`)
}

/** Compiles a TypeScript file, and returns the path of the result. @param {string} file */
function compiled(file) {
  const target = [
    '--rootDir',
    dirname(file),
    '--target',
    'es2022',
    '--lib',
    'es2023,esnext.disposable',
    '--module',
    'nodenext',
  ]
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      ...[join(checkout, 'node_modules/typescript/bin/tsc'), file, '--outDir', directory],
      ...['--types', 'node', '--typeRoots', join(checkout, 'node_modules/@types'), '--ignoreConfig'],
      ...target,
    ],
    { cwd: checkout, encoding: 'utf8' },
  )
  if (status !== 0) result(basename(file), false, stdout)
  return join(directory, basename(file).replace('.ts', '.js'))
}

/** Without indentation. @param {string} code */
function plain(code) {
  return code
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n')
}

/**
 * @param {string} name
 * @param {boolean} passed
 * @param {string} problem
 */
function result(name, passed, problem) {
  console.log(`${passed ? '    ok' : 'FAILED'}  ${name}`)
  if (passed) return
  failures++
  console.log(problem.trimEnd().replace(/^/gm, '        '))
}

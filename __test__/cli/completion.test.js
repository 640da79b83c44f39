// The completion of the shells, and the man page.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { allCommands } from '../../dist/cli/commands.js'
import { MEANINGS } from '../../dist/cli/exit-codes.js'
import { openLock, tempDir, testUnless, uniqueName } from '../helpers/index.js'
import { useOwnDirectory } from './own-directory.js'
import { program, runCli } from './process.js'

useOwnDirectory()

const lacks = (/** @type {string} */ shell) =>
  spawnSync(shell, ['--version']).status !== 0 && `${shell} is not installed`

/** A folder with files, and the environment in which `process-rwlock` is found. */
async function prepared(/** @type {any} */ t, /** @type {string} */ shell) {
  const dir = tempDir(t)
  mkdirSync(join(dir, 'bin'))
  symlinkSync(program, join(dir, 'bin/process-rwlock'))
  for (const name of ['data-1', 'data-2', 'other', 'a file']) writeFileSync(join(dir, name), '')
  const path = [join(dir, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter)
  const { code, stdout } = await runCli(t, ['completion', shell])
  t.is(code, 0)
  const script = join(dir, `completion.${shell}`)
  writeFileSync(script, stdout)
  return { cwd: dir, script, env: { ...process.env, PATH: path, HOME: dir, XDG_CONFIG_HOME: dir } }
}

/** What the shells complete: the words so far, and the completions of the last. */
const CASES = /** @type {[string[], string[]][]} */ ([
  [['do'], ['doctor']],
  [['exec', '--ti'], ['--timeout']],
  [['show', '--pa'], ['--path']],
  [
    ['exec', '--path', 'dat'],
    ['data-1', 'data-2'],
  ],
  [['show', '--path', 'a'], ['a file']],
  [['help', 'ex'], ['exec']],
  [['completion', 'z'], ['zsh']],
  [
    ['exec', 'a', '--', 'cat', 'dat'],
    ['data-1', 'data-2'],
  ],
])

testUnless(lacks('bash'))(
  'bash completes commands, options, files, locks and the command of exec',
  async (t) => {
    const name = uniqueName(t)
    openLock(t, name)
    const { script, ...options } = await prepared(t, 'bash')
    // Readline would set these variables.
    const complete = `source "$1"; shift; compopt() { :; }; COMP_WORDS=(process-rwlock "$@"); COMP_CWORD=$#
    _process_rwlock; printf '%s\\n' "\${COMPREPLY[@]}"`
    for (const [words, expected] of [...CASES, [['exec', name.slice(0, -4)], [name]]]) {
      const { stdout, stderr } = spawnSync('bash', ['-c', complete, 'bash', script, ...words], {
        ...options,
        encoding: 'utf8',
      })
      t.deepEqual([stdout.trim().split('\n').toSorted(), stderr], [expected, ''], words.join(' '))
    }
  },
)

/** Opens locks whose names shells would take for more than names, below `prefix`. */
function openSpecial(/** @type {any} */ t, /** @type {string} */ prefix) {
  for (const name of ['$(touch pwned)', '$(>pwned)', '`touch pwned`', '*', "it's", 'two words', '~'])
    openLock(t, `${prefix}/${name}`)
  // What a terminal would obey is not completed.
  for (const name of ['line\nbreak', '\x1b[31mred', '\x9b31mred']) openLock(t, `${prefix}/${name}`)
}

testUnless(lacks('bash'))('bash runs nothing that is part of a name, and quotes it', async (t) => {
  openSpecial(t, 'special')
  const { script, ...options } = await prepared(t, 'bash')
  const complete = (/** @type {string} */ word) => {
    const text = `source "$1"; shift; COMP_WORDS=(process-rwlock show "$1"); COMP_CWORD=2
      _process_rwlock; for word in "\${COMPREPLY[@]}"; do eval "printf '%s\\n' $word"; done`
    return spawnSync('bash', ['-c', text, 'bash', script, word], { ...options, encoding: 'utf8' })
  }
  const { stdout, stderr } = complete('special/')
  const names = ['$(touch pwned)', '$(>pwned)', '*', '`touch pwned`', "it's", 'two words', '~']
  const completed = stdout.trim().split('\n').toSorted()
  t.deepEqual([completed, stderr], [names.map((name) => `special/${name}`).toSorted(), ''])
  t.is(complete('special/two\\ w').stdout, 'special/two words\n')
  t.is(complete('other').stdout, '')
  t.false(existsSync(join(options.cwd, 'pwned')))
})

testUnless(lacks('fish'))('fish runs nothing that is part of a name', async (t) => {
  openSpecial(t, 'special')
  const { script, ...options } = await prepared(t, 'fish')
  const { stdout, stderr } = spawnSync(
    'fish',
    ['--no-config', '-c', `source $argv[1]; complete -C 'process-rwlock show special/'`, script],
    { ...options, encoding: 'utf8' },
  )
  t.is(stderr, '')
  t.is(stdout.trim().split('\n').length, 7, stdout)
  t.false(existsSync(join(options.cwd, 'pwned')))
})

testUnless(lacks('zsh'))('zsh gets the names as they are, and none if there is no lock', async (t) => {
  const { script, ...options } = await prepared(t, 'zsh')
  const names = () => {
    const text = `compdef() { :; }; compadd() { print -rl -- $#names $names; }; source "$1"; _process_rwlock_names`
    return spawnSync('zsh', ['-f', '-c', text, 'zsh', script], { ...options, encoding: 'utf8' })
  }
  t.like(names(), { stdout: '0\n', stderr: '' })
  openSpecial(t, 'special')
  const { stdout, stderr } = names()
  t.is(stderr, '')
  const [count, ...found] = stdout.trim().split('\n')
  t.is(count, '7')
  t.true(found.includes('special/$(touch pwned)') && found.includes('special/two words'), stdout)
  t.false(existsSync(join(options.cwd, 'pwned')))
})

testUnless(lacks('fish'))(
  'fish completes commands, options, files, locks and the command of exec',
  async (t) => {
    const name = uniqueName(t)
    openLock(t, name)
    const { script, ...options } = await prepared(t, 'fish')
    for (const [words, expected] of [...CASES, [['exec', name.slice(0, -4)], [name]]]) {
      const { stdout, stderr } = spawnSync(
        'fish',
        [
          '--no-config',
          '-c',
          'source $argv[1]; complete -C $argv[2]',
          script,
          `process-rwlock ${words.join(' ')}`,
        ],
        { ...options, encoding: 'utf8' },
      )
      const found = stdout.trim().split('\n')
      t.deepEqual(
        [found.map((line) => line.split('\t')[0]).toSorted(), stderr],
        [expected, ''],
        words.join(' '),
      )
    }
  },
)

testUnless(lacks('zsh'))('zsh accepts the completion', async (t) => {
  const { script, ...options } = await prepared(t, 'zsh')
  const load =
    'autoload -Uz compinit; compinit -u -D; source "$1"; whence -w _process_rwlock; print $_comps[process-rwlock]'
  const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', load, 'zsh', script], {
    ...options,
    encoding: 'utf8',
  })
  t.deepEqual([stdout, stderr], ['_process_rwlock: function\n_process_rwlock\n', ''])
})

testUnless(false)('the man page has every command and option', (t) => {
  const file = fileURLToPath(new URL('../../dist/man/process-rwlock.1', import.meta.url))
  const page = readFileSync(file, 'utf8').replaceAll('\\-', '-')
  for (const { name, options, summary } of allCommands()) {
    t.true(page.includes(`.SH "${name.toUpperCase()}"`), summary)
    for (const option of Object.keys(options))
      t.true(page.includes(`\\fB--${option}\\fR`), `${name} --${option}`)
  }
  for (const [code, meaning] of Object.entries(MEANINGS))
    t.true(page.includes(`.B ${code}\n${meaning}`), code)
  const variables = ['PROCESS_RWLOCK_TOKEN', 'PROCESS_RWLOCK_OWNER_DIED', 'PROCESS_RWLOCK_DIR', 'NO_COLOR']
  for (const variable of variables) t.true(page.includes(`.B ${variable}\n`), variable)
  t.regex(page, /^[ -~\n]*$/)
  t.false(/['`]/.test(page), 'quotes are those of a shell: roff would make others of them')
  t.false(/^[.'](?!TH|SH|SS|TP|PP|B|BR|I|RS|RE|nf|fi|br)/m.test(page), 'only known requests')
})

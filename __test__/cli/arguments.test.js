// Arguments, help and errors of the command line.
import { readFileSync } from 'node:fs'
import ava from 'ava'
import { allCommands } from '../../dist/cli/commands.js'
import { MEANINGS } from '../../dist/cli/exit-codes.js'
import { helpOf, helpOfAll } from '../../dist/cli/help.js'
import { nearest } from '../../dist/cli/nearest.js'
import { test } from '../helpers/test.js'
import { runCli } from './process.js'

test('without a command, the help goes to standard error, and the exit code is 64', async (t) => {
  const { code, stdout, stderr } = await runCli(t, [])
  t.is(code, 64)
  t.is(stdout, '')
  t.is(stderr, helpOfAll())
})

test('--help, help, help COMMAND and COMMAND --help print the help', async (t) => {
  for (const args of [['--help'], ['-h'], ['help'], ['help', 'help'], ['help', '--help']]) {
    t.like(await runCli(t, args), { code: 0, stdout: helpOfAll(), stderr: '' })
  }
  for (const args of [
    ['help', 'exec'],
    ['exec', '--help'],
    ['exec', '-h', '--unknown'],
  ]) {
    const { code, stdout } = await runCli(t, args)
    t.is(code, 0)
    t.regex(stdout, /^Usage: process-rwlock exec /)
  }
})

test('--version prints the version of the package', async (t) => {
  const { version } = (await import('process-rwlock/package.json', { with: { type: 'json' } })).default
  t.like(await runCli(t, ['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

for (const [args, message] of /** @type {[string[], RegExp][]} */ ([
  [['exce'], /unknown command exce\. Did you mean exec\?/],
  [['--hepl'], /unknown option --hepl\. Did you mean --help\?/],
  [['zzzzzz'], /unknown command zzzzzz\n/],
  [['exec', '--tiemout', '1', 'a', '--', 'true'], /unknown option --tiemout\. Did you mean --timeout\?/],
  [['exec', '--read=yes', 'a', '--', 'true'], /--read takes no value, but got "yes"/],
  [['exec', '--timeout'], /--timeout needs a value: --timeout S/],
  [['exec', '--timeout', '--', 'true'], /--timeout needs a value before "--"/],
  [['exec', 'a', 'ls', '-l'], /unexpected argument "ls": put -- before the command/],
])) {
  test(`wrong arguments: ${args.join(' ')}`, async (t) => {
    const { code, stdout, stderr } = await runCli(t, args)
    t.is(code, 64)
    t.is(stdout, '')
    t.regex(stderr, message)
    t.regex(stderr, /^process-rwlock: .*\nTry: process-rwlock .*--help\n$/)
  })
}

ava('a name that is near is found, another is not', (t) => {
  const names = ['exec', 'doctor', 'prune', 'trace']
  t.is(nearest('exce', names), 'exec')
  t.is(nearest('dokter', names), 'doctor')
  t.is(nearest('tr', names), 'trace')
  t.is(nearest('purne', names), 'prune')
  t.is(nearest('list', names), undefined)
  t.is(nearest('x', names), undefined)
})

ava('each exit code is documented', (t) => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
  for (const [code, meaning] of Object.entries(MEANINGS))
    t.true(page.includes(`\n| ${code} | ${meaning}`), code)
})

ava('each help has an example, and fits into 80 columns', (t) => {
  for (const command of allCommands()) {
    const help = helpOf(command)
    t.regex(help, new RegExp(`^Usage: process-rwlock ${command.name}\\b`))
    t.true(command.examples.length > 0, command.name)
    for (const line of help.split('\n').slice(1)) t.true(line.length <= 80, `${command.name}: ${line}`)
  }
})

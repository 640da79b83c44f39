// Standard output and files that take no more: a full disk, a reader that has gone.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { openLock, testUnless, uniqueName, unlessEmulated } from '../helpers/index.js'
import { stream } from '../helpers/observe.js'
import { useOwnDirectory } from './own-directory.js'
import { program } from './process.js'

useOwnDirectory()

const test = unlessEmulated('the shell does not run in it', {
  by: testUnless(!existsSync('/dev/full') && 'no /dev/full'),
})

/** Runs a command of a shell, in which "$@" is the command line. @param {string} command @param {string[]} args */
function shell(command, args) {
  const { status, stdout, stderr } = spawnSync(
    'bash',
    ['-c', `set -o pipefail; ${command}`, 'bash', process.execPath, program, ...args],
    { encoding: 'utf8', timeout: 20_000 },
  )
  return { status, stdout, stderr }
}

test('a full disk is an error of one line, and the exit code is 74', (t) => {
  openLock(t)
  for (const [command, args] of /** @type {[string, string[]][]} */ ([
    ['"$@" > /dev/full', ['ls']],
    ['"$@" > /dev/full', ['doctor', '--json']],
    ['"$@" > /dev/full', ['--help']],
    ['"$@" > /dev/full', ['top', '--frames', '1', '--interval', '0.1']],
    ['"$@"', ['trace', '--seconds', '0.1', '--out', '/dev/full', uniqueName(t)]],
  ])) {
    const { status, stderr } = shell(command, args)
    t.is(status, 74, args.join(' '))
    t.regex(stderr, /^process-rwlock: ENOSPC: no space left on device, write\n$/, args.join(' '))
  }
})

test('a reader that has enough ends it silently', async (t) => {
  const name = uniqueName(t)
  await stream(t, { ref: name, mode: 'write' }) // so that there is always more to write
  for (const args of [
    ['top', '--interval', '0.1'],
    ['trace', '--seconds', '3600', '--interval', '1', '--out', '/dev/stdout', name],
  ]) {
    const { status, stdout, stderr } = shell('"$@" | head -n 1', args)
    t.is(status, 0, args.join(' '))
    t.is(stdout.split('\n').length, 2)
    t.notRegex(stderr, /EPIPE/)
  }
})

test('messages that cannot be written change no exit code', (t) => {
  const lock = openLock(t)
  const guard = lock.tryWrite()
  for (const [args, code] of /** @type {[string[], number][]} */ ([
    [['exec', '--no-wait', `${lock.name}`, '--', 'true'], 1],
    [['exec', uniqueName(t), '--', 'no-such-command'], 127],
    [['show', uniqueName(t)], 1],
    [['no-such-command'], 64],
    [[], 64],
    [['show', '--path', program], 65],
    [['ls', '--postgres', 'postgres://127.0.0.1:1/none'], 69],
    [['trace', '--seconds', '0', '--out', '/dev/null', uniqueName(t)], 0],
  ])) {
    for (const command of ['"$@" 2> /dev/full', 'exec 3> >(exec true); wait $!; "$@" 2>&3']) {
      t.is(shell(command, args).status, code, `${command}: ${args.join(' ')}`)
    }
  }
  guard?.release()
})

// npm run crash: kills, stops and ends processes at every step of the lock (crates/rwlock/tests/crash).
//
//   npm run crash                 every label in every scenario once, each way; what CI runs
//   npm run crash -- --full       and every step up to the third time and the last
//   npm run crash -- --only write-timeout:publish:1:kill    one scenario; one label; one time; one action
//   npm run crash -- --mutants    shows that it can fail: breaks a copy of the lock in many ways, one after the other
import { run } from './run.js'

const args = process.argv.slice(2)
if (args[0] === '--mutants') {
  await run(process.execPath, ['crates/rwlock/tests/crash/mutants.js', ...args.slice(1)])
} else {
  const crash = ['--package', 'process-rwlock', '--features', 'crash-injection', '--test', 'crash']
  await run('cargo', ['test', '--quiet', ...crash, '--', ...args])
}

import type { Invocation } from '../command.js'
import { refOf } from '../ref.js'
import { reportsOf } from '../report.js'
import { thisMachine } from '../source.js'
import { outputOf } from '../text/output.js'
import type { Values } from './description.js'
import { pageOf } from './page.js'

export async function run(invocation: Invocation & { values: Values }): Promise<number> {
  const { values, positionals, stdout, stderr, env } = invocation
  const { ref, text } = refOf(values, positionals)
  const found = await thisMachine.inspect(ref)
  const [report] = found === null ? [] : await reportsOf([found])
  if (report === undefined) {
    const why = typeof ref === 'string' ? ': no process has it open' : ''
    stderr.write(`process-rwlock: there is no lock ${text}${why}\n`)
    return 1
  }
  const page = values.json ? [JSON.stringify(report, null, 2)] : pageOf(report, outputOf(stdout, env))
  stdout.write(`${page.join('\n')}\n`)
  return 0
}

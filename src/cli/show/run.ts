import type { RWLockRef } from '../../types.js'
import type { Invocation } from '../command.js'
import { refOf } from '../ref.js'
import { reportsOf } from '../report.js'
import { type SourceValues, sourceOf } from '../source.js'
import { messageOf } from '../text/message.js'
import { outputOf } from '../text/output.js'
import { jsonOf } from '../text/width.js'
import type { Values } from './description.js'
import { pageOf } from './page.js'

export async function run(invocation: Invocation & { values: Values }): Promise<number> {
  const { values, positionals, stdout, stderr, env } = invocation
  const { ref, text } = refOf(values, positionals)
  const found = await inspected(values, ref)
  const [report] = found === null ? [] : await reportsOf([found])
  if (report === undefined) {
    const isHere = typeof ref === 'string' && values.postgres === undefined
    const why = isHere ? ': no process has it open' : ''
    const what = values.file === undefined ? `there is no lock ${text}` : `${text} has no lock`
    stderr.write(messageOf(`${what}${why}`))
    return 1
  }
  const page = values.json ? [jsonOf(report, 2)] : pageOf(report, outputOf(stdout, env))
  stdout.write(`${page.join('\n')}\n`)
  return 0
}

async function inspected(values: SourceValues, ref: RWLockRef) {
  const source = sourceOf(values)
  try {
    return await source.inspect(ref)
  } finally {
    await source.close()
  }
}

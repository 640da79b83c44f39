import type { Invocation } from '../command.js'
import { refsOf } from '../ref.js'
import { sourceOf } from '../source.js'
import { interactive } from './interactive.js'
import { type Values, wishOf } from './options.js'
import { printed } from './printed.js'

const WIDTH = 80

export async function run({ values, positionals, env, stdin, stdout }: Invocation): Promise<number> {
  const { path, file } = values as Values
  const { json, ...wish } = wishOf(values as Values)
  const areGiven = positionals.length > 0 || path !== undefined || file !== undefined
  const refs = areGiven ? refsOf({ path, file }, positionals).map(({ ref }) => ref) : []
  const locks = sourceOf(values as Values)
  const source = () => locks.activity(refs)
  try {
    const unicode = isUnicode(env)
    const { TERM } = env
    if (json || !stdout.isTTY || TERM === 'dumb') {
      const columns = columnsOf(env) ?? (stdout.columns || WIDTH)
      await printed({ ...wish, source, json, unicode, columns, stdout })
    } else {
      const only = refs.length === 1 ? refs[0] : undefined
      const colours = stdout.hasColors(16, env)
      await interactive({ ...wish, source, locks, only, colours, unicode, stdin, stdout })
    }
  } finally {
    await locks.close()
  }
  return 0
}

function columnsOf({ COLUMNS = '' }: NodeJS.ProcessEnv): number | undefined {
  return /^[1-9]\d{0,3}$/.test(COLUMNS) ? Number(COLUMNS) : undefined
}

/** Whether the terminal shows more than ASCII, by the rules of setlocale(3). */
function isUnicode({ LC_ALL, LC_CTYPE, LANG }: NodeJS.ProcessEnv): boolean {
  return process.platform === 'win32' || /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '')
}

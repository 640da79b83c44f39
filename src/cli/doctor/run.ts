import { resolve } from 'node:path'
import type { Invocation } from '../command.js'
import { sourceOf } from '../source.js'
import { type Output, outputOf } from '../text/output.js'
import { harmless, jsonOf, padded, wrapped } from '../text/width.js'
import { UsageError } from '../usage-error.js'
import type { Check, Finding, Result } from './check.js'
import { CHECKS, DATABASE_CHECKS } from './checks.js'
import type { Values } from './description.js'
import { Machine } from './machine.js'
import { counted } from './names.js'

/** A check, and its result. */
export interface Examined {
  check: Check
  result: Result
}

export async function run({ values, stdout, env }: Invocation & { values: Values }): Promise<number> {
  const examined =
    values.postgres === undefined && values.schema === undefined
      ? await examine(
          CHECKS,
          new Machine(
            env,
            (values.path ?? []).map((path) => resolve(path)),
          ),
        )
      : await examineDatabase(values, env)
  const problems = examined.reduce((sum, { result }) => sum + result.findings.length, 0)
  if (values.json) {
    const checks = examined.map(({ check: { name }, result }) => ({ name, ...result }))
    stdout.write(`${jsonOf({ ok: problems === 0, checks }, 2)}\n`)
  } else {
    stdout.write(`${pageOf(examined, outputOf(stdout, env)).join('\n')}\n`)
  }
  return problems === 0 ? 0 : 1
}

async function examineDatabase(values: Values, env: NodeJS.ProcessEnv): Promise<Examined[]> {
  if (values.path !== undefined)
    throw new UsageError('--path is for locks of this machine, not for --postgres')
  const source = sourceOf(values)
  try {
    return await examine(DATABASE_CHECKS, new Machine(env, [], source))
  } finally {
    await source.close()
  }
}

/** Runs the checks one after the other. What the package refuses is a finding, not a failure. */
export async function examine(checks: readonly Check[], machine: Machine): Promise<Examined[]> {
  const examined: Examined[] = []
  const refused = new Map<string, string>()
  for (const check of checks) {
    let result: Result
    try {
      result = await check.run(machine)
    } catch (error) {
      const { code, message, help } = error as Error & { code?: string; help?: string }
      if (!code?.startsWith('ERR_LOCK_')) throw error
      const earlier = refused.get(message)
      // Without the addon, or the directory, most checks fail for one and the same reason.
      result =
        earlier === undefined
          ? {
              status: 'problem',
              text: '',
              findings: [{ text: message, remedy: `as the message says; more: ${help}` }],
            }
          : { status: 'unknown', text: `not checked: see ${earlier}`, findings: [] }
      refused.set(message, earlier ?? check.title)
    }
    examined.push({ check, result })
  }
  return examined
}

const STYLES = { ok: 'green', problem: 'red', unknown: 'dim' } as const
const STATUS = 9
const TITLE = 17
/** Of one check, so many findings are printed for each remedy. JSON has all. */
const PRINTED = 5

export function pageOf(examined: readonly Examined[], output: Output): string[] {
  const lines = examined.flatMap(({ check: { title }, result: { status, text, findings } }) => [
    `${output.style(STYLES[status], padded(status, STATUS))}${padded(title, TITLE)}${below(text, STATUS + TITLE, output)}`.trimEnd(),
    ...[...new Set(findings.map(({ remedy }) => remedy))].flatMap((remedy) =>
      groupOf(
        remedy,
        findings.filter((finding) => finding.remedy === remedy),
        output,
      ),
    ),
  ])
  const count = examined.reduce((sum, { result }) => sum + result.findings.length, 0)
  return [...lines, '', count === 0 ? 'No problem was found.' : `${counted(count, 'problem')} found.`]
}

/** Findings with one remedy. */
function groupOf(remedy: string, alike: readonly Finding[], output: Output): string[] {
  const indent = ' '.repeat(STATUS)
  const more = alike.length - PRINTED
  return [
    ...alike.slice(0, PRINTED).map(({ text }) => `${indent}${below(text, STATUS, output)}`),
    ...(more > 0 ? [`${indent}and ${more} more; --json prints all`] : []),
    `${indent}${output.style('bold', 'remedy:')} ${below(remedy, STATUS, output, 'remedy: ')}`,
  ]
}

/** `text` in lines below each other; the first one follows `before`. */
function below(text: string, indent: number, { width }: Output, before = ''): string {
  // A word that takes the place of what comes before the first line.
  const lines = wrapped(`${'x'.repeat(before.length)}${harmless(text)}`, Math.max(30, width - indent))
  return lines.join(`\n${' '.repeat(indent)}`).slice(before.length)
}

// The machine of the figures.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os'

export function machine() {
  const git = (/** @type {string[]} */ ...args) => {
    try {
      return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    } catch {
      return ''
    }
  }
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: git('describe', '--always', '--dirty'),
    cpu: processor(),
    cores: availableParallelism(),
    memory: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release().split('-')[0]} ${arch()}`,
    node: process.version,
  }
}

/**
 * The model of the processor. Virtual machines hide its name, but not its family, which determines
 * the cost of atomic operations.
 */
export function processor() {
  const name = cpus()[0]?.model ?? 'unknown processor'
  if (platform() !== 'linux') return name
  const about = readFileSync('/proc/cpuinfo', 'utf8')
  const [family, model] = ['cpu family', 'model'].map(
    (field) => new RegExp(`^${field}\\s*: (\\d+)$`, 'm').exec(about)?.[1],
  )
  return family === undefined ? name : `${name}, family ${family} model ${model}`
}

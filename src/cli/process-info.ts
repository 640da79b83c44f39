// What the system knows of processes. `null` stands for what it does not say: macOS and Windows do
// not say as much as Linux.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * - `stopped` by a signal or a debugger.
 * - `frozen` with its cgroup: a container that is paused.
 * - `stuck` in a system call that no signal ends, for example on a dead network file system.
 */
export type ProcessState = 'running' | 'sleeping' | 'stopped' | 'frozen' | 'stuck' | 'ended'

export interface ProcessInfo {
  /** The command with its arguments, quoted as for a shell. */
  readonly command: string | null
  readonly state: ProcessState | null
  /** When it began. */
  readonly started: Date | null
}

const UNKNOWN: ProcessInfo = { command: null, state: null, started: null }

/** Processes of this PID namespace. Those that cannot be seen have `null` in every field. */
export function processInfo(pids: Iterable<number>): Map<number, ProcessInfo> {
  const wanted = [...new Set(pids)]
  const found =
    wanted.length === 0
      ? new Map<number, ProcessInfo>()
      : process.platform === 'linux'
        ? ofLinux(wanted)
        : process.platform === 'win32'
          ? ofWindows(wanted)
          : ofPs(wanted)
  return new Map(wanted.map((pid) => [pid, found.get(pid) ?? UNKNOWN]))
}

/** Quoted where a shell needs it. */
export function quoted(args: readonly string[]): string {
  return args
    .map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`))
    .join(' ')
}

// ---- Linux. Source: proc_pid_stat(5), proc_pid_cmdline(5).

const LINUX_STATES: Record<string, ProcessState> = {
  R: 'running',
  S: 'sleeping',
  I: 'sleeping',
  D: 'stuck',
  T: 'stopped',
  t: 'stopped',
  Z: 'ended',
  X: 'ended',
}
/** `sysconf(_SC_CLK_TCK)`, which is 100 on every architecture that Node.js runs on. */
const TICKS = 100

function ofLinux(pids: number[]): Map<number, ProcessInfo> {
  const freezers = freezersOf(read('/proc/self/mountinfo') ?? '')
  const boot = Number(/^btime (\d+)$/m.exec(read('/proc/stat') ?? '')?.[1])
  return new Map(
    pids.flatMap((pid) => {
      const stat = statOf(`/proc/${pid}/stat`)
      if (stat === undefined) return []
      const args = (read(`/proc/${pid}/cmdline`) ?? '').replace(/\0+$/, '')
      // A program that sets its title, as Node.js does, has it in place of the arguments.
      const command = args.includes('\0') ? quoted(args.split('\0')) : args
      const started = new Date((boot + stat.start / TICKS) * 1000)
      return [
        [
          pid,
          {
            command: command || `[${stat.name}]`,
            state: isFrozen(pid, freezers) ? 'frozen' : (LINUX_STATES[stat.state] ?? null),
            started: Number.isNaN(started.getTime()) ? null : started,
          },
        ],
      ]
    }),
  )
}

/** Where cgroups can be frozen: the folders of cgroup v2 and of v1's freezer, as far as they are mounted. */
interface Freezers {
  unified?: string
  freezer?: string
}

/** Source: proc_pid_mountinfo(5). */
export function freezersOf(mounts: string): Freezers {
  const found: Freezers = {}
  for (const line of mounts.split('\n')) {
    const [mount = '', system = ''] = line.split(' - ')
    const folder = mount.split(' ')[4]
    if (folder === undefined) continue
    if (system.startsWith('cgroup2 ')) found.unified ??= folder
    else if (/^cgroup .*\bfreezer\b/.test(system)) found.freezer ??= folder
  }
  return found
}

/**
 * A frozen process seems to sleep (v2), or to be stuck (v1). Source: cgroups(7); `cgroup.events` and
 * `freezer.state` in the kernel's documentation.
 */
function isFrozen(pid: number, { unified, freezer }: Freezers): boolean {
  const cgroups = read(`/proc/${pid}/cgroup`) ?? ''
  const pathIn = (line: RegExp) => line.exec(cgroups)?.[1]
  const [v2, v1] = [pathIn(/^0::(.*)$/m), pathIn(/^\d+:(?:[^:\n]*,)?freezer(?:,[^:\n]*)?:(.*)$/m)]
  return (
    (unified !== undefined && /^frozen 1$/m.test(read(`${unified}${v2}/cgroup.events`) ?? '')) ||
    (freezer !== undefined && read(`${freezer}${v1}/freezer.state`)?.trim() === 'FROZEN')
  )
}

interface Stat {
  name: string
  state: string
  start: number
}

/** The name of a program may contain blanks and parentheses. */
function statOf(file: string): Stat | undefined {
  const [, name = '', rest = ''] = /^\d+ \((.*)\) (.*)$/s.exec(read(file) ?? '') ?? []
  const fields = rest.split(' ')
  return fields[0] ? { name, state: fields[0], start: Number(fields[19]) } : undefined
}

/** What to watch of a process: its main thread, or all others, of which none is known by number. */
export interface Watched {
  readonly pid: number
  readonly isWorker: boolean
}

/**
 * Those of which a thread did not pause for `ms`: it ran, or waited for a processor, all the time. An
 * event loop that is so busy serves nothing else. `null` if the system does not say.
 */
export async function busyThreads<T extends Watched>(
  watched: readonly T[],
  ms: number,
): Promise<Set<T> | null> {
  if (process.platform !== 'linux') return null
  const running = watched
    .map((each) => ({ each, before: runningThreads(each) }))
    .filter(({ before }) => before.size > 0)
  if (running.length === 0) return new Set()
  await new Promise((resolve) => setTimeout(resolve, ms))
  const isBusy = ({ each, before }: (typeof running)[0]) =>
    [...runningThreads(each)].some(([thread, pauses]) => before.get(thread) === pauses)
  return new Set(running.filter(isBusy).map(({ each }) => each))
}

/** The threads that run now, and how often each has paused so far. */
function runningThreads({ pid, isWorker }: Watched): Map<string, string> {
  const main = String(pid)
  const found = new Map<string, string>()
  for (const thread of isWorker ? threadsOf(pid) : [main]) {
    if (isWorker && thread === main) continue
    const { state, pauses } = statusOf(`/proc/${pid}/task/${thread}/status`)
    if (pauses !== undefined && state === 'R') found.set(thread, pauses)
  }
  return found
}

/**
 * Of processes that seem stuck, those that did not move for `ms`: each access to a disk looks the same
 * for a moment.
 *
 * @param proc tests have another folder
 */
export async function stillStuck(pids: readonly number[], ms: number, proc = '/proc'): Promise<Set<number>> {
  const pausesOf = (pid: number) => {
    const { state, pauses } = statusOf(`${proc}/${pid}/status`)
    return state === 'D' ? pauses : undefined
  }
  const before = pids.map((pid) => ({ pid, pauses: pausesOf(pid) }))
  await new Promise((resolve) => setTimeout(resolve, ms))
  if (process.platform !== 'linux') {
    return new Set([...processInfo(pids)].flatMap(([pid, { state }]) => (state === 'stuck' ? [pid] : [])))
  }
  return new Set(
    before.flatMap(({ pid, pauses }) => (pauses !== undefined && pausesOf(pid) === pauses ? [pid] : [])),
  )
}

/** Of a process or a thread. Source: proc_pid_status(5). */
function statusOf(file: string): { state: string | undefined; pauses: string | undefined } {
  const status = read(file) ?? ''
  return {
    state: /^State:\t(\w)/m.exec(status)?.[1],
    pauses: /^voluntary_ctxt_switches:\t(\d+)$/m.exec(status)?.[1],
  }
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // it has ended, or may not be seen
  }
}

// ---- macOS. Source: ps(1).

const PS_STATES: Record<string, ProcessState> = {
  R: 'running',
  S: 'sleeping',
  I: 'sleeping',
  U: 'stuck',
  T: 'stopped',
  Z: 'ended',
}

function ofPs(pids: number[]): Map<number, ProcessInfo> {
  const options = ['-ww', '-o', 'pid=,state=,lstart=,command=', '-p', pids.join(',')]
  const lines = output('ps', options, { LC_ALL: 'C' }).split('\n')
  return new Map(
    lines.flatMap((line) => {
      const [, pid, state = '', start = '', command = ''] =
        /^ *(\d+) +(\S+) +(\w+ +\w+ +\d+ +[\d:]+ +\d+) +(.*)$/.exec(line) ?? []
      const started = new Date(start)
      if (pid === undefined) return []
      return [
        [
          Number(pid),
          {
            command: command || null,
            state: PS_STATES[state[0] ?? ''] ?? null,
            started: Number.isNaN(started.getTime()) ? null : started,
          },
        ],
      ]
    }),
  )
}

// ---- Windows, which does not say whether a process is suspended.

function ofWindows(pids: number[]): Map<number, ProcessInfo> {
  const filter = pids.map((pid) => `ProcessId=${pid}`).join(' OR ')
  const script =
    `Get-CimInstance Win32_Process -Filter '${filter}' | ForEach-Object { [pscustomobject]@{ ` +
    "pid = $_.ProcessId; command = $_.CommandLine; started = $_.CreationDate.ToUniversalTime().ToString('o') } } | ConvertTo-Json"
  const text = output('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', script])
  try {
    const rows = [JSON.parse(text)].flat() as {
      pid: number
      command: string | null
      started: string | null
    }[]
    return new Map(
      rows.map(({ pid, command, started }) => [
        pid,
        { command, state: null, started: started === null ? null : new Date(started) },
      ]),
    )
  } catch {
    return new Map()
  }
}

function output(program: string, args: string[], env: NodeJS.ProcessEnv = {}): string {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      env: { ...process.env, ...env },
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch (error) {
    // ps also fails if only some of the processes exist.
    return String((error as { stdout?: string }).stdout ?? '')
  }
}

import { userInfo } from 'node:os'
import { type Check, type Finding, ok, resultOf, unknown } from './check.js'
import type { Machine } from './machine.js'
import { processesOf, processText } from './names.js'

/** Up to this user id, systemd takes a user for one of the system (SYS_UID_MAX). */
const LAST_SYSTEM_USER = 999

/**
 * Whether systemd may remove the shared memory of processes that outlive the sessions of their user.
 * Source: logind.conf(5), `RemoveIPC`.
 */
export const removeIpc: Check = {
  name: 'remove-ipc',
  title: 'RemoveIPC',
  async run(machine) {
    const { PROCESS_RWLOCK_DIR } = machine.env
    if (machine.platform !== 'linux') return unknown('only systemd has it')
    if (machine.folder('run/systemd/system') === undefined) return ok('this system does not run systemd')
    if (PROCESS_RWLOCK_DIR !== undefined) return ok('does not apply to PROCESS_RWLOCK_DIR')
    if (machine.user <= LAST_SYSTEM_USER)
      return ok(`does not apply to system users, such as this one (${machine.user})`)
    if (!removesIpc(machine)) return ok('no')
    if (lingers(machine)) return ok('yes, but lingering is enabled for this user')
    const reports = await machine.reports()
    const named = reports.filter(({ path }) => path === null).flatMap(({ attached }) => attached)
    const findings = [...processesOf(named)].flatMap(([pid, party]): Finding[] => {
      const unit = /^0::(.*)$/m.exec(machine.read(`proc/${pid}/cgroup`) ?? '')?.[1]
      // A process in a session keeps that session, and with it the memory.
      if (unit === undefined || unit.includes(`/user-${machine.user}.slice/`)) return []
      return [
        {
          text: `RemoveIPC=yes, and ${processText(party)} runs outside of the sessions of user ${machine.user} (in ${unit}): when the last session ends, systemd removes the memory of its named locks, and processes that open them later have other locks`,
          remedy: `loginctl enable-linger ${nameOf(machine.user)}; or RemoveIPC=no in /etc/systemd/logind.conf; or run it as a system user; or set PROCESS_RWLOCK_DIR for every process`,
        },
      ]
    })
    return resultOf(
      findings,
      'yes, but no process with named locks runs outside of the sessions of this user',
    )
  },
}

/** The last setting counts; those of the folders `logind.conf.d` come after the main files, in the order of their names. */
function removesIpc(machine: Machine): boolean {
  const places = ['usr/lib/systemd', 'usr/local/lib/systemd', 'run/systemd', 'etc/systemd']
  // Of files with one name, and of the main files, that of the last place counts.
  const dropIns = new Map<string, string>()
  let main: string | undefined
  for (const place of places) {
    main = machine.read(`${place}/logind.conf`) ?? main
    for (const name of machine.folder(`${place}/logind.conf.d`) ?? []) {
      if (name.endsWith('.conf')) dropIns.set(name, machine.read(`${place}/logind.conf.d/${name}`) ?? '')
    }
  }
  const texts = [main ?? '', ...[...dropIns].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text)]
  const values = texts.flatMap((text) => [...text.matchAll(/^\s*RemoveIPC\s*=\s*(\S*)\s*$/gm)])
  const value = values.at(-1)?.[1]?.toLowerCase() ?? ''
  return !['no', 'false', 'off', 'n', 'f', '0'].includes(value)
}

function lingers(machine: Machine): boolean {
  return machine.folder('var/lib/systemd/linger')?.includes(nameOf(machine.user)) === true
}

/** Of a user without an entry in the system's table, the number. */
function nameOf(user: number): string {
  try {
    const { uid, username } = userInfo()
    return uid === user ? username : String(user)
  } catch {
    return String(user)
  }
}

// Checked by `npm run typecheck`, never run: the types of process-rwlock/leader, to a user of TypeScript.
import type { AsyncGuard, AsyncRWLock, Guard, RWLock } from 'process-rwlock'
import {
  type InstanceOptions,
  type LeadOptions,
  type LockInfo,
  lead,
  lockInfo,
  tryInstance,
} from 'process-rwlock/leader'

const is = <T>(_value: T): void => {}

export async function leader(lock: RWLock, remote: AsyncRWLock): Promise<void> {
  is<number>(await lead('jobs', () => 1))
  is<string>(await lead({ path: 'x.lock' }, async (signal) => String(signal.aborted)))
  await lead(lock, (_, guard) => is<Guard>(guard))
  await lead(remote, (_, guard) => is<AsyncGuard>(guard))
  await lead('jobs', (_, guard) => guard.setValue('http://127.0.0.1'))
  const options = {
    signal: AbortSignal.timeout(1),
    value: new Uint8Array(1),
    label: 'a',
    onOther: ({ pid, ms }, value) => is<[number, number, Uint8Array | null]>([pid, ms, value]),
  } satisfies LeadOptions
  await lead('jobs', () => {}, options)
  // @ts-expect-error It waits for its turn.
  await lead('jobs', () => {}, { timeout: 1 })

  is<Guard | null>(tryInstance('server', { value: 'x', label: 'y' } satisfies InstanceOptions))
  is<LockInfo | null>(lockInfo({ path: new URL('file:///x') }))
  is<[number, number, string, Date, Uint8Array | null] | undefined>(
    ((info) => info && [info.pid, info.threadId, info.label, info.since, info.value])(
      lockInfo('x') ?? undefined,
    ),
  )
}

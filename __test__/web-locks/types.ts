/// <reference lib="dom" />
// Checked by `npm run typecheck`, never run: the locks fit where a program expects those of a browser.
import {
  type Lock,
  locks,
  type LockManager as OwnManager,
  type LockManagerSnapshot as OwnSnapshot,
} from 'process-rwlock/web-locks'

const is = <T>(_value: T): void => {}

export const ofBrowser: LockManager = locks

export async function use(manager: OwnManager): Promise<void> {
  is<number>(await manager.request('a', () => 1))
  is<number>(await manager.request('a', async () => 1))
  is<string>(await manager.request('a', { mode: 'shared', ifAvailable: true }, (lock) => String(lock?.name)))
  is<void>(await manager.request('a', (lock) => is<Lock | null>(lock)))
  await manager.request('a', { signal: AbortSignal.timeout(1) }, async () => {})
  is<OwnSnapshot>(await manager.query())
  is<Array<[string, 'exclusive' | 'shared', string]>>(
    (await manager.query()).held.map(({ name, mode, clientId }) => [name, mode, clientId]),
  )
  // @ts-expect-error not a mode
  await manager.request('a', { mode: 'read' }, () => {})
  // @ts-expect-error no callback
  await manager.request('a', {})
}

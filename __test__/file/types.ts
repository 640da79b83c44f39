// Checked by `npm run typecheck`, never run: the types of process-rwlock/file and of
// `lock.ensure()`, to a user of TypeScript.
import type { RWLock } from 'process-rwlock'
import {
  type ForFileOptions,
  forFile,
  type ReadJSONOptions,
  readJSON,
  readJSONSync,
  type UpdateFileOptions,
  type UpdateJSONOptions,
  type UpdateOptions,
  updateFile,
  updateFileSync,
  updateJSON,
  updateJSONSync,
} from 'process-rwlock/file'

interface Settings {
  theme: 'dark' | 'light'
  recent?: string[]
}

const is = <T>(_value: T): void => {}
const file: string | URL = new URL('file:///settings.json')

export async function files(): Promise<void> {
  is<RWLock>(forFile(file, { beside: true, capacity: 4 } satisfies ForFileOptions))
  // @ts-expect-error Buffers are no paths here.
  forFile(Buffer.from('a'))

  is<Settings>(await readJSON<Settings>(file))
  is<Settings>(
    readJSONSync<Settings>(file, { default: { theme: 'dark' } } satisfies ReadJSONOptions<Settings>),
  )
  is<number>(await readJSON(file, { default: 0 }))
  // @ts-expect-error The default is a value of the type.
  await readJSON<Settings>(file, { default: { theme: 'blue' } })
  const parsed = await readJSON(file)
  parsed.anything.goes

  is<Settings>(await updateJSON<Settings>(file, (settings) => ({ ...settings, recent: [] })))
  is<Settings>(
    await updateJSON(file, (settings: Settings) => {
      settings.theme = 'light'
    }),
  )
  is<Settings>(await updateJSON<Settings>(file, async (settings) => settings, { default: { theme: 'dark' } }))
  is<number>(await updateJSON(file, (n) => n + 1, { default: 0 }))
  await updateJSON(file, (value) => ({ ...value, anything: 1 }))
  // @ts-expect-error It must return a value of the type.
  await updateJSON<Settings>(file, () => 5)
  is<Settings>(
    updateJSONSync<Settings>(file, (settings) => settings, {} satisfies UpdateJSONOptions<Settings>),
  )
  // @ts-expect-error A synchronous update awaits nothing.
  updateJSONSync<Settings>(file, async (settings) => settings)
  await updateJSON(file, () => 1, {
    timeout: 100,
    signal: AbortSignal.timeout(100),
    label: 'update',
    mode: 0o600,
    backup: true,
    beside: false,
    indent: '\t',
  } satisfies UpdateOptions & { indent: string })

  is<Buffer>(await updateFile(file, (bytes) => bytes.subarray(1)))
  is<string>(await updateFile(file, (text) => text.trim(), 'utf8'))
  is<string>(await updateFile(file, async (text) => text.trim(), { encoding: 'utf8', default: '' }))
  is<Buffer>(updateFileSync(file, () => {}, { encoding: null } satisfies UpdateFileOptions))
  is<string>(updateFileSync(file, (text) => text.trim(), { encoding: 'latin1' }))
  // @ts-expect-error A number is no content.
  await updateFile(file, () => 5)
}

export async function ensure(lock: RWLock): Promise<void> {
  is<Settings>(
    await lock.ensure<Settings>(
      (guard) => (guard.mode === 'read' ? undefined : { theme: 'dark' }),
      () => ({ theme: 'light' }),
    ),
  )
  is<string>(
    await lock.ensure(
      async () => 'loaded' as string | undefined,
      async (guard) => {
        is<bigint>(guard.token)
      },
      { timeout: 100 },
    ),
  )
  // @ts-expect-error Both are needed.
  await lock.ensure(() => 1)
}

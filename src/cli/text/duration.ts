// Times for people.

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const

/** Such as `12 ms`, `4.2 s`, `42 s`, `3 min 5 s`, `2 h 10 min`. 0 ms: unknown, `?`. */
export function duration(ms: number): string {
  if (ms <= 0) return '?'
  if (ms < 999.5) return `${Math.max(1, Math.round(ms))} ms`
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const at = UNITS.findIndex(([, size]) => seconds >= size)
  const [unit, size] = UNITS[at] ?? UNITS[3]
  const count = Math.floor(seconds / size)
  const next = UNITS[at + 1]
  const rest = next ? Math.floor((seconds % size) / next[1]) : 0
  return rest > 0 && next ? `${count} ${unit} ${rest} ${next[0]}` : `${count} ${unit}`
}

/** A date and time of day in local time, such as `2026-11-27 14:03:09`. */
export function dateTime(date: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`
}

/** Such as `54 kB`. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`
  const [unit, divisor] = bytes < 999_500 ? ['kB', 1e3] : bytes < 999_500_000 ? ['MB', 1e6] : ['GB', 1e9]
  const count = bytes / (divisor as number)
  return `${count < 9.95 && unit !== 'kB' ? count.toFixed(1) : Math.round(count)} ${unit}`
}

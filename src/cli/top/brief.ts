// Numbers for people, in at most 7 columns.

const UNITS = [
  { ms: 86_400_000, name: 'd' },
  { ms: 3_600_000, name: 'h' },
  { ms: 60_000, name: 'min' },
] as const

/** A time in ms: `12 ms`, `1.5 s`, `42 s`, `3 min`, `26 h`, `9 d`. */
export function briefTime(ms: number): string {
  if (ms < 1000) return `${Math.floor(ms)} ms`
  // Not before two of the larger unit: "90 s" says more than "1 min".
  const unit = UNITS.find((each) => ms >= 2 * each.ms)
  if (unit) return `${Math.floor(ms / unit.ms)} ${unit.name}`
  return ms < 10_000 ? `${(Math.floor(ms / 100) / 10).toFixed(1)} s` : `${Math.floor(ms / 1000)} s`
}

/** A rate per second: `0`, `2.5`, `731`, `12,345`, `1.2M`; `-` if it is unknown. */
export function briefRate(perSecond: number | null): string {
  if (perSecond === null) return '-'
  if (perSecond >= 999_950) return `${(perSecond / 1e6).toFixed(perSecond < 99.95e6 ? 1 : 0)}M`
  if (perSecond >= 9.95) return Math.round(perSecond).toLocaleString('en-US')
  return String(Math.round(perSecond * 10) / 10)
}

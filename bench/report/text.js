// Figures in readable units.

/** @param {number | null | undefined} ns */
export function time(ns) {
  if (ns === null || ns === undefined) return ''
  if (ns < 1e3) return `${significant(ns)} ns`
  if (ns < 1e6) return `${significant(ns / 1e3)} µs`
  if (ns < 1e9) return `${significant(ns / 1e6)} ms`
  return `${significant(ns / 1e9)} s`
}

/** Three significant digits. @param {number} value */
export function significant(value) {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(value < 1 ? 2 : 3)))
}

/** @param {number} value */
export const times = (value) => `${significant(value)} ×`

/** @param {{ p10: number, p90: number }} of */
export const spread = ({ p10, p90 }) => `${time(p10)} – ${time(p90)}`

/** @param {number} perSecond */
export function rate(perSecond) {
  if (perSecond >= 1e6) return `${significant(perSecond / 1e6)} M/s`
  if (perSecond >= 1e3) return `${significant(perSecond / 1e3)} k/s`
  return `${significant(perSecond)} /s`
}

/** @param {number} bytes */
export function size(bytes) {
  return bytes < 1024 ? `${Math.round(bytes)} B` : `${significant(bytes / 1024)} KiB`
}

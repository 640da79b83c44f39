// Counts in a file that it shares with others, and reports each number once the update has
// resolved.
import { updateJSON, updateJSONSync } from 'process-rwlock/file'

const [file, own, end, form] = process.argv.slice(2)
let count = 0

while (count < Number(end)) {
  const increment = (counts) => {
    count = Math.min((counts[own] ?? 0) + 1, Number(end))
    counts[own] = count
    counts.sum = Object.entries(counts).reduce((sum, [key, n]) => (key === 'sum' ? sum : sum + n), 0)
  }
  if (form === 'sync') updateJSONSync(file, increment, { default: {} })
  else await updateJSON(file, increment, { default: {} })
  process.send?.({ type: 'counted', count })
}
process.disconnect()

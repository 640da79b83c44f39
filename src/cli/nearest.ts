/** The name that was probably meant, if one is near. */
export function nearest(written: string, names: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(written.length / 2.5))
  let found: string | undefined
  let least = limit + 1
  for (const name of names) {
    const distance = written.length > 1 && name.startsWith(written) ? 0.5 : edits(written, name)
    if (distance < least) [least, found] = [distance, name]
  }
  return found
}

/** The fewest letters to insert, delete, replace or swap with the next: optimal string alignment. */
function edits(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, at) => at)]
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0
  for (let i = 1; i <= one.length; i++) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1] ? 0 : 1
      let least = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + same)
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) {
        least = Math.min(least, at(i - 2, j - 2) + 1)
      }
      row.push(least)
    }
  }
  return at(one.length, other.length)
}

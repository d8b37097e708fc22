// What somebody may have meant who wrote a name that does not exist.

/**
 * Wrong letters up to which a name is still taken for a mistyped one: one for each three, two at
 * most.
 */
function slipsAllowed(name: string): number {
  return Math.min(2, Math.ceil(name.length / 3));
}

/** The nearest of the known names; null if none is near. */
export function suggest(name: string, known: readonly string[]): string | null {
  let nearest: string | null = null;
  let fewest = slipsAllowed(name) + 1;
  for (const candidate of known) {
    const slips = distance(name, candidate);
    if (slips < fewest) [nearest, fewest] = [candidate, slips];
  }
  return nearest;
}

/** Letters added, left out, changed, or swapped with their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(at(row, j - 1) + 1, at(last, j) + 1, at(last, j - 1) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, at(beforeLast, j - 2) + 1);
      row.push(cost);
    }
    [beforeLast, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}

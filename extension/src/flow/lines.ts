export interface Line {
  readonly sign: '+' | '-' | ' ';
  readonly text: string;
}

const MOST = 400;

/** What differs between two texts, line by line, what is common to both among it. */
export function difference(before: string, after: string): Line[] {
  const one = before.split('\n').slice(0, MOST);
  const other = after.split('\n').slice(0, MOST);
  // lengths[i][j]: how many lines one.slice(i) and other.slice(j) have in common, in order.
  const lengths = Array.from({ length: one.length + 1 }, () =>
    new Array<number>(other.length + 1).fill(0)
  );
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = one.length - 1; i >= 0; i--) {
    for (let j = other.length - 1; j >= 0; j--) {
      const row = lengths[i];
      if (row) {
        row[j] = one[i] === other[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
      }
    }
  }
  const found: Line[] = [];
  let [i, j] = [0, 0];
  while (i < one.length || j < other.length) {
    if (i < one.length && j < other.length && one[i] === other[j]) {
      found.push({ sign: ' ', text: one[i] ?? '' });
      i += 1;
      j += 1;
    } else if (i < one.length && (j === other.length || at(i + 1, j) >= at(i, j + 1))) {
      found.push({ sign: '-', text: one[i] ?? '' });
      i += 1;
    } else {
      found.push({ sign: '+', text: other[j] ?? '' });
      j += 1;
    }
  }
  return found;
}

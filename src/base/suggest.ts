// "did you mean": the nearest of a set of words. Distance is Damerau-Levenshtein (optimal string alignment), so that a letter
// too few, too many, wrong, or two swapped, count as one slip each.

/** The number of slips between two words; gives up (Infinity) beyond `limit`. */
export function slips(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Number.POSITIVE_INFINITY;
  let older: number[] = [];
  let old = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(at(old, j) + 1, at(row, j - 1) + 1, at(old, j - 1) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, at(older, j - 2) + 1);
      row.push(cost);
    }
    if (Math.min(...row) > limit) return Number.POSITIVE_INFINITY;
    older = old;
    old = row;
  }
  return at(old, b.length) > limit ? Number.POSITIVE_INFINITY : at(old, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}

/** Words longer than this are no slip of the keyboard; comparing them would only cost time. */
const LONGEST = 64;

/** The nearest of the words, at most a third of its letters away (one slip for the shortest); upper and lower case are alike. */
export function nearest(word: string, words: Iterable<string>): string | undefined {
  if (word.length > LONGEST) return undefined;
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestSlips = Math.max(1, Math.floor(word.length / 3));
  for (const candidate of words) {
    if (candidate === word) continue;
    const count = slips(wanted, candidate.toLowerCase(), bestSlips);
    // Two names of one letter are one slip apart whatever they are; that is no likeness.
    const alike = count < Math.max(wanted.length, candidate.length);
    if (alike && (count < bestSlips || (best === undefined && count <= bestSlips))) {
      best = candidate;
      bestSlips = count;
    }
  }
  return best;
}

/** A hint for a misspelt word, or undefined when nothing is near. */
export function didYouMean(word: string, words: Iterable<string>): string | undefined {
  const best = nearest(word, words);
  return best === undefined ? undefined : `did you mean "${best}"?`;
}

/** `a`, `a and b`, `a, b and c`; a long list is cut. */
export function listWords(words: readonly string[], last: 'and' | 'or' = 'and', most = 12): string {
  if (words.length > most) return `${words.slice(0, most).join(', ')}, ... (${words.length} in all)`;
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}

// Values and ranges of one kind (ports, addresses, interface names, protocols) as intervals of whole numbers, in the one form
// that text and bytecode are both made from, so that the two cannot say different things. What is merged is what nft merges:
// anonymous sets have auto-merge on (nft(8), "Sets").

/** Both ends included. */
export type Interval = { readonly from: bigint; readonly to: bigint };

export function isSingle({ from, to }: Interval): boolean {
  return from === to;
}

function compare(a: Interval, b: Interval): number {
  if (a.from !== b.from) return a.from < b.from ? -1 : 1;
  if (a.to === b.to) return 0;
  return a.to < b.to ? -1 : 1;
}

/**
 * Sorted, without duplicates. Where there is a range among them, what overlaps becomes one interval, and with `gap` 1n also
 * what adjoins; single values alone are never merged, since nft keeps them in a hash.
 */
export function canonicalIntervals(values: readonly Interval[], gap: 0n | 1n): readonly Interval[] {
  const ranges = values.some((value) => !isSingle(value));
  const merged: { from: bigint; to: bigint }[] = [];
  for (const value of [...values].sort(compare)) {
    const last = merged.at(-1);
    const joins = last !== undefined && (ranges ? value.from <= last.to + gap : value.from === last.from);
    if (!joins) merged.push({ ...value });
    else if (value.to > last.to) last.to = value.to;
  }
  return merged;
}

/** The length of the prefix that the interval is, in a space of that many bits, or undefined. */
export function prefixOf({ from, to }: Interval, bits: number): number | undefined {
  const size = to - from + 1n;
  if ((size & (size - 1n)) !== 0n || (from & (size - 1n)) !== 0n) return undefined;
  return bits - (size.toString(2).length - 1);
}

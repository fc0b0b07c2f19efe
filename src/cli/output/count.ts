// Counted things in words.

/** `1 node`, `2 nodes`. */
export function count(n: number, thing: string): string {
  return `${n} ${thing}${n === 1 ? '' : 's'}`;
}

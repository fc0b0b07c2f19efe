// Which copies of which labs are up (lab/copies.ts makes them). Apart from there because `down` asks this and needs nothing of `up`.

import type { LabName } from '../base/names.ts';
import { listLabs, readLab } from '../state/store.ts';

/** The copies that are up, in the order of their numbers, by what they are copies of; those half made or half gone are among them. */
export function copiesUp(): Map<string, LabName[]> {
  const found = new Map<string, { lab: LabName; number: number }[]>();
  for (const lab of listLabs()) {
    const copy = readLab(lab)?.copy;
    if (copy === undefined) continue;
    const list = found.get(copy.of) ?? [];
    list.push({ lab, number: copy.number });
    found.set(copy.of, list);
  }
  return new Map(
    [...found].map(([of, list]) => [of, list.sort((a, b) => a.number - b.number).map(({ lab }) => lab)]),
  );
}

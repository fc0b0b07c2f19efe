// Names of the lab, in files for /etc: which of the folders that are there goes on as which of the plan's. A folder that is written
// anew in place is seen at once by whoever has it, containers that run among them, and no namespace has to be pointed elsewhere.
// Pure.

import type { NetnsName, NodeName } from '../base/names.ts';
import type { Op } from '../plan/op.ts';
import type { Difference, Live } from './difference.ts';
import { entryKey } from './step-key.ts';

/** The ops with the names of folders that are there, where a folder of the plan can take one over. */
export function adoptViews(ops: readonly Op[], live: Pick<Live, 'views'>): Op[] {
  const names = adoptedNames(ops, live);
  if (names.size === 0) return [...ops];
  return ops.map((op) => {
    if (op.kind !== 'writeEtc' && op.kind !== 'linkEtc' && op.kind !== 'startContainer') return op;
    const name = op.view === undefined ? undefined : names.get(op.view);
    return name === undefined ? op : { ...op, view: name };
  });
}

/** Each folder of the plan takes over the one that most of its readers see now, and none is taken over twice. */
function adoptedNames(ops: readonly Op[], { views }: Pick<Live, 'views'>): Map<string, string> {
  const planned = new Set(ops.flatMap((op) => (op.kind === 'writeEtc' ? [op.view] : [])));
  const votes = new Map<string, { readonly view: string; readonly old: string; count: number }>();
  for (const op of ops) {
    const old = op.kind === 'linkEtc' ? views.get(op.netns) : undefined;
    // One that the plan has under its own name stays what it is.
    if (op.kind !== 'linkEtc' || old === undefined || planned.has(old)) continue;
    const key = `${op.view} ${old}`;
    const vote = votes.get(key) ?? { view: op.view, old, count: 0 };
    vote.count++;
    votes.set(key, vote);
  }
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const { view, old } of [...votes.values()].toSorted((a, b) => b.count - a.count)) {
    if (names.has(view) || taken.has(old)) continue;
    names.set(view, old);
    taken.add(old);
  }
  return names;
}

/** Namespaces that are pointed to another folder, and folders whose files are others. */
export function fileDifferences(
  ops: readonly Op[],
  live: Pick<Live, 'views' | 'files'>,
  isFresh: (netns: NetnsName) => boolean,
): Difference[] {
  const told: Difference[] = [];
  const missing = new Set<string>();
  const tell = (netns: NetnsName, key: string): void => {
    const message = `${netns} has other names in /etc/hosts`;
    const node = netns as string as NodeName;
    told.push({
      node,
      place: netns,
      about: 'files',
      state: 'different',
      message,
      hidden: true,
      mend: { make: [key] },
    });
  };
  for (const op of ops) {
    if (op.kind === 'writeEtc' && !hasFiles(op.files, live.files.get(op.view))) missing.add(op.view);
    if (op.kind !== 'linkEtc' || isFresh(op.netns)) continue;
    if (live.views.get(op.netns) !== op.view) tell(op.netns, entryKey('etc', op.netns, []));
    else if (missing.delete(op.view)) tell(op.netns, entryKey('view', null, [op.view]));
  }
  return told;
}

type Files = Readonly<Record<string, string>>;

function hasFiles(wanted: Files, found: Files | undefined): boolean {
  return found !== undefined && Object.entries(wanted).every(([name, text]) => found[name] === text);
}

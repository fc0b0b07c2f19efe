// Settings of namespaces and of devices, by the ops that set them: those of the file, and those by which nslab makes a lab work. What
// was set once and is not asked for any more is set back. Pure.

import type { Node, Place } from '../model/lab.ts';
import { sysctlDevice } from '../plan/desired.ts';
import type { Op } from '../plan/op.ts';
import type { Difference, Live } from './difference.ts';
import { deviceKey, entryKey } from './step-key.ts';

export type SysctlView = {
  readonly ops: readonly Op[];
  readonly opsBefore: readonly Op[];
  readonly live: Live;
  readonly nodes: readonly Node[];
  readonly gone: ReadonlySet<string>;
  /** Places that are made, or made anew: all is set there. */
  readonly fresh: ReadonlySet<Place>;
  /** Places that go. */
  readonly dropped: ReadonlySet<Place>;
};

/** By place and key the value that is set last, since that is the one that stays. */
function lastValues(ops: readonly Op[]): Map<Place, Map<string, string>> {
  const found = new Map<Place, Map<string, string>>();
  for (const op of ops) {
    if (op.kind !== 'setSysctl') continue;
    const values = found.get(op.place) ?? new Map<string, string>();
    found.set(op.place, values);
    values.set(op.key, op.value);
  }
  return found;
}

/** The kernel separates numbers with tabs. */
function isValue(wanted: string, found: string | undefined): boolean {
  const plain = (text: string) => text.trim().split(/\s+/).join(' ');
  return found !== undefined && plain(wanted) === plain(found);
}

export function sysctlDifferences(view: SysctlView): Difference[] {
  const { ops, opsBefore, live, nodes, gone, fresh, dropped } = view;
  const wanted = lastValues(ops);
  const byPlace = new Map(nodes.map((node) => [node.place, node]));
  const told: Difference[] = [];
  for (const [place, values] of wanted) {
    const node = byPlace.get(place);
    const netns = live.netns.get(place);
    if (node === undefined || netns === undefined || fresh.has(place)) continue;
    const ofFile = new Set(node.sysctls.map(({ key }) => key));
    for (const [key, value] of values) {
      const device = sysctlDevice(key);
      const isGone = device !== undefined && gone.has(deviceKey(place, device));
      const found = isGone ? undefined : netns.sysctls[key];
      if (isValue(value, found)) continue;
      const hidden = isGone || !ofFile.has(key) ? ({ hidden: true } as const) : {};
      const text = found === undefined ? `${key} is not there` : `${key} is ${found}, not ${value}`;
      told.push({
        ...{ node: node.name, place, about: 'sysctl', state: 'different', message: `${node.name}: ${text}` },
        ...hidden,
        mend: { make: [entryKey('sysctl', place, [key])] },
      });
    }
  }
  for (const [place, values] of lastValues(opsBefore)) {
    const node = byPlace.get(place);
    const netns = live.netns.get(place);
    // What the lab has set in the machine itself is in its record, with what was there before.
    if (place === null || node === undefined || netns === undefined || fresh.has(place) || dropped.has(place))
      continue;
    for (const key of values.keys()) {
      const value = live.fresh[key];
      const device = sysctlDevice(key);
      if (value === undefined || wanted.get(place)?.has(key) === true) continue;
      if (device !== undefined && gone.has(deviceKey(place, device))) continue;
      const found = netns.sysctls[key];
      if (found === undefined || isValue(value, found)) continue;
      told.push({
        ...{ node: node.name, place, about: 'sysctl', state: 'extra', hidden: true },
        message: `${node.name}: ${key} is ${found}, which the file does not ask for any more`,
        mend: { set: [{ kind: 'setSysctl', place, key, value }] },
      });
    }
  }
  return told;
}

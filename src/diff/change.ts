// From differences to steps: what goes, then the ops of the plan that are needed, in the plan's order, and between its devices and the
// rest what has to be set anew on devices that stay. Pure.

import type { NetnsName, NodeName } from '../base/names.ts';
import type { Place } from '../model/lab.ts';
import type { ChangeOp, Op, Step, UndoOp } from '../plan/op.ts';
import type { Difference, Live } from './difference.ts';
import { stepKeys } from './step-key.ts';

/** The steps after which the differences are gone. `ops` are those that the differences were found by. */
export function planChange(
  ops: readonly Op[],
  differences: readonly Difference[],
  live: Pick<Live, 'netns'>,
): Step[] {
  const made = neededOps(ops, differences, live);
  const sets = differences.flatMap(({ mend }) => mend.set ?? []);
  const late = made.findLastIndex(
    ({ kind }) => kind === 'createNetns' || kind === 'createLink' || kind === 'moveLink',
  );
  const again = sets.filter(({ kind }) => kind === 'startAgain');
  const others = sets.filter((step) => step.kind !== 'startAgain');
  const commands = made.findIndex(({ kind }) => kind === 'runCommand');
  const end = commands < 0 ? made.length : commands;
  return [
    ...removals(differences.flatMap(({ mend }) => mend.remove ?? [])),
    ...made.slice(0, late + 1),
    ...others.filter((step) => !isUp(step)),
    ...upInOrder(others.filter(isUp), live),
    ...made.slice(late + 1, end),
    ...again,
    ...made.slice(end),
  ];
}

function isUp(step: Step): boolean {
  return step.kind === 'setLink' && step.up === true;
}

/** What stands on another cannot be up before that is (ENETDOWN). */
function upInOrder(steps: readonly Step[], { netns }: Pick<Live, 'netns'>): Step[] {
  const stands = (step: Step): boolean => {
    if (step.kind !== 'setLink') return false;
    const device = netns.get(step.place)?.devices.find(({ ifname }) => ifname === step.ifname);
    return device !== undefined && 'link' in device.data && device.data.link !== undefined;
  };
  return [...steps.filter((step) => !stands(step)), ...steps.filter(stands)];
}

function neededOps(ops: readonly Op[], differences: readonly Difference[], live: Pick<Live, 'netns'>): Op[] {
  const make = new Set(differences.flatMap(({ mend }) => mend.make ?? []));
  const wanted = ops.filter((op) => stepKeys(op).some((key) => make.has(key)));
  const views = new Set<string>();
  const starting = new Set<NodeName>();
  for (const op of wanted) {
    if (op.kind === 'linkEtc') views.add(op.view);
    if (op.kind !== 'startContainer') continue;
    starting.add(op.node);
    if (op.view !== undefined) views.add(op.view);
  }
  const chosen = new Set<Op>(wanted);
  for (const op of ops) {
    if (op.kind === 'writeEtc' && views.has(op.view)) chosen.add(op);
    if (op.kind === 'awaitContainer' && op.waiters.some((node) => starting.has(node))) chosen.add(op);
  }
  return ops.filter((op) => chosen.has(op)).map((op) => asReplacement(op, live));
}

/** A table in the place of one that is there: no packet passes between the two. */
function asReplacement(op: Op, { netns }: Pick<Live, 'netns'>): Op {
  if (op.kind !== 'addTable') return op;
  const { family, name } = op.table;
  const there = netns.get(op.place)?.tables.some((table) => table.family === family && table.name === name);
  return there === true ? { ...op, replace: true } : op;
}

/** Containers first, then what is configured, then devices, then whole namespaces. */
const ranks: Readonly<Record<ChangeOp['kind'], number>> = {
  startAgain: 0,
  undo: 0,
  delTable: 2,
  delRule: 3,
  delRoute: 3,
  delNeighbour: 3,
  delFdb: 3,
  delAltname: 3,
  delAddress: 4,
  setBridge: 4,
  delLinks: 6,
  dropNetns: 8,
};
const undoRanks: Readonly<Partial<Record<UndoOp['kind'], number>>> = {
  stopContainers: 0,
  stopProcesses: 1,
  returnLink: 5,
  unlinkEtc: 7,
  restoreSysctl: 7,
};

function rankOf(step: ChangeOp): number {
  return step.kind === 'undo' ? (undoRanks[step.undo.kind] ?? 0) : ranks[step.kind];
}

/** In an order in which they can be done, those of one kind and place as one. */
function removals(steps: readonly ChangeOp[]): ChangeOp[] {
  const links = new Map<Place, Set<Extract<ChangeOp, { kind: 'delLinks' }>['ifnames'][number]>>();
  const containers = new Set<NodeName>();
  const processes = new Set<NetnsName>();
  const rest = new Map<string, ChangeOp>();
  for (const step of steps) {
    if (step.kind === 'delLinks') {
      const names = links.get(step.place) ?? new Set();
      links.set(step.place, names);
      for (const name of step.ifnames) names.add(name);
    } else if (step.kind === 'undo' && step.undo.kind === 'stopContainers') {
      for (const node of step.undo.nodes) containers.add(node);
    } else if (step.kind === 'undo' && step.undo.kind === 'stopProcesses') {
      for (const netns of step.undo.netns) processes.add(netns);
    } else rest.set(JSON.stringify(step), step);
  }
  const merged: ChangeOp[] = [...rest.values()];
  for (const [place, names] of links) merged.push({ kind: 'delLinks', place, ifnames: [...names] });
  if (containers.size > 0)
    merged.push({ kind: 'undo', undo: { kind: 'stopContainers', nodes: [...containers], others: true } });
  if (processes.size > 0)
    merged.push({ kind: 'undo', undo: { kind: 'stopProcesses', netns: [...processes] } });
  return merged.toSorted((a, b) => rankOf(a) - rankOf(b) || placeOrder(a).localeCompare(placeOrder(b)));
}

function placeOrder(step: ChangeOp): string {
  return 'place' in step ? (step.place ?? '') : '';
}

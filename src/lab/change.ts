// A lab that is up becomes what the file says, by the fewest steps: `nslab apply`, and `up` of a lab that is up. The record says
// first that either of the two labs may be there, so that `down` works whenever this process is killed. A step that fails is
// followed by a change back.

import { dirname } from 'node:path';
import { applyOps } from '../apply/apply.ts';
import { NslabError } from '../base/error.ts';
import { planChange } from '../diff/change.ts';
import { diffLab } from '../diff/diff.ts';
import type { Difference, Live } from '../diff/difference.ts';
import { adoptViews } from '../diff/views.ts';
import type { Kernel } from '../kernel/port.ts';
import type { LiveDevice, LiveNetns } from '../live/netns.ts';
import type { Lab, Place } from '../model/lab.ts';
import { checkHost, type HostFacts, type HostProblem } from '../plan/check-host.ts';
import { describeOp } from '../plan/describe.ts';
import type { Op, Step } from '../plan/op.ts';
import { planLab } from '../plan/order.ts';
import { type UndoFacts, undoFacts } from '../plan/undo.ts';
import { mergeFacts } from '../plan/undo-merge.ts';
import type { LabRecord } from '../state/record.ts';
import { lockHost, writeLab, writeRecord } from '../state/store.ts';
import { checkPublished, publishes } from './check-ports.ts';
import { passOnSysctls } from './clear.ts';
import { digestLab } from './digest.ts';
import { type ImagesForUse, useImages } from './image-use.ts';
import { type Made, madeLab, readLive } from './live.ts';
import { hostOf, otherLabs } from './machine.ts';
import { opsOf } from './ops.ts';
import { assertNoProblems, failureCode, type UpRequest, type UpResult } from './up-request.ts';
import { allocateIds, keepIds } from './userns.ts';

/** What was set may change something else (a device that goes down loses its routes), so the kernel is looked at again. */
const ROUNDS = 4;

type Counts = Pick<UpResult, 'nodes' | 'links'>;

type Target = {
  readonly lab: Lab;
  readonly ops: readonly Op[];
  readonly made: Made;
};

type Round = Target & { readonly live: Live; readonly steps: readonly Step[] };

/**
 * Changes the lab. The caller holds its lock, and `record` says that it is up.
 * @throws NslabError HOST_* and LAB_IN_USE before anything is touched; as upLab for a step that failed, when the lab is as it was;
 * APPLY_LEFT when it is neither one nor the other
 */
export async function changeLab(request: UpRequest, record: LabRecord, counts: Counts): Promise<UpResult> {
  const made = madeLab(request.lab.name);
  if (made === undefined)
    throw new NslabError('STATE_BROKEN', `lab ${request.lab.name} is up, and its lab.json is not there`);
  using images = await useImages(request.lab);
  const { round, facts, still } = prepare(request, { made, images, record, counts });
  if (round.steps.length === 0) return { outcome: 'unchanged', ...counts, ops: 0, still };
  const { lab } = round;
  request.kernel.openLab(lab.name, request.file === '-' ? process.cwd() : dirname(request.file));
  try {
    const { done, left } = await runRounds(request, round);
    writeRecord(recordOf(request, record, { counts, undo: facts }));
    return { outcome: 'changed', ...counts, ops: done, still: left };
  } catch (reason) {
    await changeBack(request, { record, round, facts: mergeFacts(made.undo, facts) }, reason);
    throw reason;
  }
}

/** The steps that {@link changeLab} would take; those of `up` where the lab is not up. */
export async function stepsOfChange(lab: Lab, kernel: Kernel): Promise<readonly Step[]> {
  using images = await useImages(lab);
  const made = madeLab(lab.name);
  if (made === undefined) return images.withImages(opsOf(lab));
  const wanted = keepIds(lab, made.lab);
  const ops = images.withImages(opsOf(wanted));
  const { steps } = look({ lab: wanted, ops, made });
  return [...hostSysctls(made.undo, factsOf({ lab: wanted, ops, made }, kernel)), ...steps];
}

/** What would be different, and the steps against it. */
function look(target: Target): Round & { readonly differences: readonly Difference[] } {
  const live = readLive({ ...target, names: 'pinned' });
  const { lab, made } = target;
  const ops = adoptViews(target.ops, live);
  const differences = diffLab({ lab, ops, opsBefore: made.ops, live });
  return { ...target, ops, live, differences, steps: planChange(ops, differences, live) };
}

type Around = {
  readonly made: Made;
  readonly images: ImagesForUse;
  readonly record: LabRecord;
  readonly counts: Counts;
};

type Prepared = { readonly round: Round; readonly facts: UndoFacts; readonly still: readonly string[] };

/** Everything that can be refused before the first change: conflicts with the machine, and writing the record. */
function prepare(request: UpRequest, { made, images, record, counts }: Around): Prepared {
  const { kernel, locate } = request;
  using _host = lockHost();
  const lab = allocateIds(keepIds(request.lab, made.lab));
  assertUnusedNetworks(lab, made.lab);
  const ops = images.withImages(opsOf(lab));
  const round = look({ lab, ops, made });
  const facts = factsOf(round, kernel);
  const restored = hostSysctls(made.undo, facts);
  const steps = [...restored, ...round.steps];
  const still = steps.length > 0 ? [] : visible(round.differences);
  if (steps.length > 0) {
    assertNoProblems(conflicts(lab, made, kernel), locate);
    passOnSysctls(lab.name, { ...made.undo, sysctls: restored.map(({ undo }) => undo) });
  }
  const undo = steps.length === 0 ? facts : mergeFacts(made.undo, facts);
  const next = recordOf(request, record, { counts, undo });
  const same = steps.length === 0 && JSON.stringify(next) === JSON.stringify(record);
  if (!same) {
    writeLab(lab);
    writeRecord(steps.length === 0 ? next : { ...next, phase: 'rising' });
  }
  return { round: { ...round, steps }, facts, still };
}

function visible(differences: readonly Difference[]): string[] {
  return differences.filter(({ hidden }) => hidden !== true).map(({ message }) => message);
}

type Recorded = { readonly counts: Counts; readonly undo: UndoFacts };

function recordOf({ lab, file }: UpRequest, record: LabRecord, { counts, undo }: Recorded): LabRecord {
  return { ...record, ...counts, prefix: lab.prefix, file, digest: digestLab(lab), phase: 'up', undo };
}

/** What undoing the new lab needs; what the old one had changed already is known from its record. */
function factsOf({ lab, ops, made }: Target, kernel: Kernel): UndoFacts {
  const { sysctls, nics } = made.undo;
  return undoFacts(lab.name, ops, {
    readSysctl: (key) => sysctls.find((one) => one.key === key)?.was ?? kernel.readSysctl(key),
    readLinkState: (ifname) =>
      nics.find(({ state }) => state.ifname === ifname)?.state ?? kernel.readLinkState(ifname),
  });
}

/** Settings of the machine that the lab does not need any more. */
function hostSysctls(old: UndoFacts, next: UndoFacts) {
  const kept = new Set(next.sysctls.map(({ key }) => key));
  return old.sysctls
    .filter(({ key }) => !kept.has(key))
    .map((one) => ({ kind: 'undo', undo: { kind: 'restoreSysctl', ...one } }) as const);
}

/** Whoever is plugged into a network would be cut off with it. @throws NslabError LAB_IN_USE */
function assertUnusedNetworks(lab: Lab, before: Lab): void {
  const bridges = new Set((hostOf(lab)?.networks ?? []).map(({ bridge }) => bridge));
  const going = (hostOf(before)?.networks ?? []).filter(({ bridge }) => !bridges.has(bridge));
  for (const { name, bridge } of going) {
    const users = otherLabs(lab.name).filter((other) =>
      hostOf(other)?.interfaces.some(({ master }) => master === bridge),
    );
    if (users.length === 0) continue;
    const names = users.map((one) => one.name).join(', ');
    throw new NslabError(
      'LAB_IN_USE',
      `the file has no network ${name} any more, and others are plugged into it: ${names}`,
      {
        hint: 'take those down first',
      },
    );
  }
}

/** As for a lab that comes up, but what is its own already is no conflict. */
function conflicts(lab: Lab, made: Made, kernel: Kernel): HostProblem[] {
  const { undo } = made;
  const { netns, links, routes, tables } = kernel.observe();
  const own = new Set<string>(links.filter(({ group }) => group === undo.group).map(({ ifname }) => ifname));
  const ownTables = new Set(undo.tables.map(({ family, name }) => `${family} ${name}`));
  const others: HostFacts = {
    netns: netns.filter((name) => !undo.netns.some((one) => one === name)),
    links: [
      ...links.filter(({ ifname }) => !own.has(ifname)),
      ...undo.nics.map(({ state }) => ({ ifname: state.ifname })),
    ],
    routes: routes.filter(({ dev }) => !own.has(dev)),
    tables: tables.filter((name) => !ownTables.has(name)),
  };
  const fresh = withoutPublished(lab, made.lab);
  const published = publishes(fresh) ? checkPublished(fresh, otherLabs(lab.name), kernel) : [];
  return [...checkHost(lab, others), ...published];
}

/** The lab with those ports and networks only that it had not before. */
function withoutPublished(lab: Lab, before: Lab): Lab {
  const was = hostOf(before);
  const bare = ({ path: _path, ...rest }: { readonly path: string }) => JSON.stringify(rest);
  const ports = new Set((was?.ports ?? []).map(bare));
  const networks = new Set((was?.networks ?? []).map(bare));
  const nodes = lab.nodes.map((node) => ({
    ...node,
    ...(node.ports === undefined ? {} : { ports: node.ports.filter((one) => !ports.has(bare(one))) }),
    ...(node.networks === undefined
      ? {}
      : { networks: node.networks.filter((one) => !networks.has(bare(one))) }),
  }));
  return { ...lab, nodes };
}

type Ran = { readonly done: number; readonly left: readonly string[] };

/** Runs the steps, looks again at what they touched, and goes on with what came of them. */
async function runRounds(request: UpRequest, first: Round): Promise<Ran> {
  let done = 0;
  let round = first;
  for (let turn = 1; ; turn++) {
    await runSteps(request, round);
    done += round.steps.length;
    const live = lookAgain(round);
    const { lab, ops } = round;
    // By now all that is there was made from these.
    const differences = diffLab({ lab, ops, opsBefore: ops, live });
    const steps = planChange(ops, differences, live);
    if (steps.length === 0 || turn === ROUNDS) return { done, left: visible(differences) };
    round = { ...round, live, steps };
  }
}

/** The namespaces that steps touched as they are now, and the others as they were. */
function lookAgain({ lab, ops, made, live, steps }: Round): Live {
  const touched = new Set(steps.flatMap(placesOf));
  const nodes = (one: Lab) => one.nodes.filter(({ place }) => touched.has(place));
  const part = { ...lab, nodes: nodes(lab) };
  const now = readLive({
    lab: part,
    ops,
    made: { ...made, lab: { ...made.lab, nodes: nodes(made.lab) } },
    names: 'pinned',
  });
  const netns = new Map(live.netns);
  for (const place of touched) {
    const read = now.netns.get(place);
    if (read === undefined) netns.delete(place);
    else netns.set(place, withKnownEnds(read, live.netns.get(place)));
  }
  // What was started or ended is told by the steps.
  const containers = readLive({
    lab: { ...lab, nodes: containersOf(lab) },
    ops: [],
    made: undefined,
    names: 'pinned',
  });
  const views = new Map(live.views);
  const files = new Map(live.files);
  for (const step of steps) {
    if (step.kind === 'linkEtc') views.set(step.netns, step.view);
    if (step.kind === 'writeEtc') files.set(step.view, { ...files.get(step.view), ...step.files });
  }
  return { ...live, before: lab, netns, containers: containers.containers, views, files };
}

function containersOf({ nodes }: Lab): Lab['nodes'] {
  return nodes.filter(({ container }) => container !== undefined).map((node) => ({ ...node, place: null }));
}

function placesOf(step: Step): Place[] {
  switch (step.kind) {
    case 'createLink':
      return step.link.type === 'veth' ? [step.place, step.link.peer.place] : [step.place];
    case 'createNetns':
    case 'dropNetns':
      return [step.netns];
    case 'moveLink':
      return [null, step.place];
    case 'undo':
      return step.undo.kind === 'returnLink' ? [null, step.undo.place] : [];
    case 'writeEtc':
    case 'linkEtc':
    case 'awaitContainer':
    case 'startAgain':
      return [];
    default:
      return [step.place];
  }
}

/** The other end of a wire that nobody touched lies in a namespace that was not read again. */
function withKnownEnds(now: LiveNetns, before: LiveNetns | undefined): LiveNetns {
  if (before === undefined) return now;
  const known = new Map(before.devices.map((device) => [device.ifindex, device]));
  const devices = now.devices.map((device): LiveDevice => {
    const was = known.get(device.ifindex);
    const { data } = device;
    if (was === undefined || was.ifname !== device.ifname) return device;
    if (data.type !== 'veth' || was.data.type !== 'veth' || data.peer.ifname !== undefined) return device;
    return data.peer.ifindex === was.data.peer.ifindex ? { ...device, data: was.data } : device;
  });
  return { ...now, devices };
}

/** @throws NslabError for the step that failed, or INTERRUPTED */
async function runSteps(request: UpRequest, { lab, steps }: Pick<Round, 'lab' | 'steps'>): Promise<void> {
  const { kernel, onEvent } = request;
  for await (const event of applyOps(steps, kernel, { ...request, verb: 'apply' })) {
    onEvent(event);
    if (event.type === 'failed') {
      const { message, hint } = event.failure;
      throw new NslabError(failureCode(event), `${describeOp(event.op)}: ${message}`, { hint });
    }
    if (event.type === 'interrupted') {
      throw new NslabError('INTERRUPTED', `the change of ${lab.name} was interrupted, and was taken back`);
    }
  }
}

type Halfway = { readonly record: LabRecord; readonly round: Round; readonly facts: UndoFacts };

/** Half a change helps nobody: the lab becomes what it was. @throws NslabError APPLY_LEFT */
async function changeBack(
  request: UpRequest,
  { record, round, facts }: Halfway,
  reason: unknown,
): Promise<void> {
  const { signal: _signal, fault: _fault, ...calm } = request;
  calm.onEvent({ type: 'undoing' });
  const { made } = round;
  try {
    using images = await useImages(made.lab);
    const ops = images.withImages(opsOf(made.lab)).filter(({ kind }) => kind !== 'runCommand');
    const halfway: Made = { lab: round.lab, ops: planLab(round.lab), undo: facts };
    const back = look({ lab: made.lab, ops, made: halfway });
    const steps = [...hostSysctls(facts, made.undo), ...back.steps];
    const { left } = await runRounds(calm, { ...back, steps });
    if (left.length > 0) throw new Error(left.join('; '));
    writeLab(made.lab);
    writeRecord(record);
  } catch (error) {
    const [first, second] = [reason, error].map((one) => (one instanceof Error ? one.message : String(one)));
    throw new NslabError(
      'APPLY_LEFT',
      `${first}; and the lab could not become again what it was: ${second}`,
      {
        hint: `nslab down ${record.lab} takes all of it away`,
        cause: reason,
      },
    );
  }
}

// `nslab ls` and `nslab inspect`: what is up, by the records, and what of it the kernel still has. Changes nothing.

import { NslabError } from '../base/error.ts';
import type { LabName } from '../base/names.ts';
import type { ContainerState, DeviceView, Kernel } from '../kernel/port.ts';
import { ownsNetns } from '../model/container.ts';
import type { Lab, NodeKind } from '../model/lab.ts';
import { portLines } from '../model/network.ts';
import type { LabRecord } from '../state/record.ts';
import { bootId, isLocked, listLabs, readLab, readRecord } from '../state/store.ts';

/**
 * `up`: whole. `degraded`: somebody removed a namespace. `changing`: a process works on it now. `broken`: that process was
 * killed half-way. `stale`: from before the last boot. `unreadable`: the record is another version's.
 */
export type LabState = 'up' | 'degraded' | 'changing' | 'broken' | 'stale' | 'unreadable';

export type LabRow = {
  readonly lab: LabName;
  readonly state: LabState;
  readonly nodes: number;
  readonly links: number;
  /** ISO 8601. */
  readonly since: string | null;
  readonly file: string | null;
};

function recordOf(lab: LabName): LabRecord | 'unreadable' | undefined {
  try {
    return readRecord(lab);
  } catch (error) {
    if (error instanceof NslabError && error.code === 'STATE_BROKEN') return 'unreadable';
    throw error;
  }
}

export function labState(lab: LabName, kernel: Kernel): LabState {
  const record = recordOf(lab);
  if (record === 'unreadable') return 'unreadable';
  if (record !== undefined && record.boot !== bootId()) return 'stale';
  if (isLocked(lab)) return 'changing';
  if (record?.phase !== 'up') return 'broken';
  const own = (readLab(lab)?.nodes ?? []).filter(ownsNetns);
  const places = own.map((node) => node.place).filter((place) => place !== null);
  return kernel.livingNetns(lab, places).length === places.length ? 'up' : 'degraded';
}

/** One row for each lab that has a record. */
export function listRows(kernel: Kernel): LabRow[] {
  return listLabs().map((lab) => {
    const record = recordOf(lab);
    const known = record === 'unreadable' ? undefined : record;
    return {
      lab,
      state: labState(lab, kernel),
      nodes: known?.nodes ?? 0,
      links: known?.links ?? 0,
      since: known?.at ?? null,
      file: known?.file ?? null,
    };
  });
}

export type NodeView = {
  readonly node: string;
  /** The name under /run/netns; null for the machine's own namespace. */
  readonly netns: string | null;
  readonly kind: NodeKind;
  readonly state: 'up' | 'missing';
  readonly devices: readonly DeviceView[];
  /** Of a container; null where it was never started. */
  readonly container?: ContainerState | null;
  /** That it publishes, `0.0.0.0:8080->80/tcp`. */
  readonly ports?: readonly string[];
};

export type LabView = LabRow & { readonly description: string | null; readonly view: readonly NodeView[] };

/**
 * A lab as the kernel has it now.
 * @throws NslabError LAB_UNKNOWN, LAB_AMBIGUOUS, STATE_BROKEN
 */
export function inspectLab(name: string | undefined, kernel: Kernel): LabView {
  const lab = onlyLab(name);
  const row = listRows(kernel).find((candidate) => candidate.lab === lab);
  const model = readLab(lab);
  if (row === undefined || model === undefined) {
    throw new NslabError('STATE_BROKEN', `the record of lab ${lab} is not whole`, {
      hint: `nslab down ${lab} removes what is left`,
    });
  }
  kernel.openLab(lab);
  return { ...row, description: model.description ?? null, view: nodeViews(model, kernel) };
}

/** True for a lab of that name that was not made by `run` or `create` for one container. */
export function isLabOfSeveral(name: string): boolean {
  const lab = listLabs().find((one) => one === name);
  if (lab === undefined) return false;
  const record = recordOf(lab);
  return record === undefined || record === 'unreadable' || record.solo === undefined;
}

/** The lab of that name, or the only one there is. */
export function onlyLab(name: string | undefined): LabName {
  const labs = listLabs();
  if (name !== undefined) {
    const found = labs.find((lab) => lab === name);
    if (found !== undefined) return found;
    const hint = labs.length === 0 ? 'no lab is up' : `labs that are up: ${labs.join(', ')}`;
    throw new NslabError('LAB_UNKNOWN', `no lab ${name} is up`, { hint });
  }
  const [only] = labs;
  if (only === undefined)
    throw new NslabError('LAB_UNKNOWN', 'no lab is up', { hint: 'nslab up FILE brings one up' });
  if (labs.length === 1) return only;
  throw new NslabError('LAB_AMBIGUOUS', `${labs.length} labs are up: ${labs.join(', ')}`, {
    hint: 'name one of them',
  });
}

function nodeViews(lab: Lab, kernel: Kernel): NodeView[] {
  const published = lab.nodes.flatMap((node) => node.ports ?? []);
  return lab.nodes.map((node) => {
    const ports = portLines(published.filter((port) => port.node === node.name));
    const container =
      node.container === undefined
        ? {}
        : {
            container: kernel.readContainer(node.name) ?? null,
            ...(ports.length === 0 ? {} : { ports }),
          };
    // One in the network of another has no devices of its own.
    if (!ownsNetns(node))
      return { node: node.name, netns: null, kind: node.kind, ...container, state: 'up', devices: [] };
    const devices = kernel.readDevices(node.place);
    const base = { node: node.name, netns: node.place, kind: node.kind, ...container };
    if (devices === undefined) return { ...base, state: 'missing', devices: [] };
    if (node.place !== null) return { ...base, state: 'up', devices };
    // Of the machine's own devices only those that the lab made.
    const made = new Set<string>(node.interfaces.map((i) => i.ifname));
    return { ...base, state: 'up', devices: devices.filter((device) => made.has(device.ifname)) };
  });
}

// The containers of all labs that are up: found by the name that was typed, listed with their state. Changes nothing.

import { NslabError } from '../base/error.ts';
import type { LabName, NodeName } from '../base/names.ts';
import { didYouMean } from '../base/suggest.ts';
import { readState } from '../kernel/container-state.ts';
import type { ContainerState, ContainerStatus } from '../kernel/port.ts';
import type { Node } from '../model/lab.ts';
import { type PublishedPort, portLines } from '../model/network.ts';
import { containerDir, containerVar } from '../state/paths.ts';
import { listLabs, readLab } from '../state/store.ts';

/** A container of a lab that is up. */
export type Container = {
  readonly lab: LabName;
  readonly node: NodeName;
  readonly model: Node;
  /** Program, state, control socket. */
  readonly folder: string;
  /** Upper layer and log. */
  readonly files: string;
  readonly ports: readonly PublishedPort[];
};

/** Every container of one lab or of all. */
export function listContainers(lab?: string): Container[] {
  const labs = lab === undefined ? listLabs() : listLabs().filter((name) => name === lab);
  if (lab !== undefined && labs.length === 0) {
    throw new NslabError('LAB_UNKNOWN', `no lab ${lab} is up`, { hint: 'nslab ls lists those that are' });
  }
  return labs.flatMap((name) => {
    const nodes = readLab(name)?.nodes ?? [];
    const ports = nodes.flatMap((node) => node.ports ?? []);
    return nodes.flatMap((node) => (node.container === undefined ? [] : [containerOf(name, node, ports)]));
  });
}

function containerOf(lab: LabName, model: Node, published: readonly PublishedPort[]): Container {
  const node = model.name;
  const ports = published.filter((port) => port.node === node);
  return { lab, node, model, folder: containerDir(lab, node), files: containerVar(lab, node), ports };
}

/**
 * The container of that name, which may be the node's or its namespace's.
 * @throws NslabError CONTAINER_UNKNOWN; LAB_AMBIGUOUS when two labs have one of that name
 */
export function findContainer(name: string, lab?: string): Container {
  const all = listContainers(lab);
  const found = all.filter(({ node, model }) => node === name || model.place === name);
  const [first, second] = found;
  if (first === undefined) {
    const names = all.map(({ node }) => node);
    const list = names.length === 0 ? 'no container is up' : `containers that are up: ${names.join(', ')}`;
    const hint = didYouMean(name, names) ?? list;
    throw new NslabError('CONTAINER_UNKNOWN', `no container ${name} is up`, { hint });
  }
  if (second === undefined) return first;
  const labs = found.map((one) => one.lab);
  throw new NslabError('LAB_AMBIGUOUS', `${found.length} labs have a container ${name}: ${labs.join(', ')}`, {
    hint: `--lab ${first.lab}`,
  });
}

/** What its monitor says; undefined where it was never started. */
export function stateOf(container: Container): ContainerState | undefined {
  return readState(container.folder);
}

/** True when others may have its ports, until it starts again. Not of one that is only about to start, nor of one whose monitor died. */
export function hasLeftPorts(state: ContainerState | undefined): boolean {
  return state?.status === 'exited';
}

export type ContainerRow = {
  readonly node: NodeName;
  readonly lab: LabName;
  readonly status: ContainerStatus | 'missing';
  readonly state: ContainerState | null;
  readonly addresses: readonly string[];
  /** `0.0.0.0:8080->80/tcp`; none of a container that has ended. */
  readonly ports: readonly string[];
  readonly rootfs: string;
};

/** One row for each container, in the order of the labs and of their files. */
export function containerRows(lab?: string): ContainerRow[] {
  return listContainers(lab).map((container) => {
    const { node, model, ports } = container;
    const state = stateOf(container);
    return {
      node,
      lab: container.lab,
      status: state?.status ?? 'missing',
      state: state ?? null,
      addresses: model.interfaces.flatMap((iface) => iface.addresses.map(({ ip }) => ip)),
      ports: hasLeftPorts(state) ? [] : portLines(ports),
      rootfs: model.container?.image ?? model.container?.rootfs ?? '',
    };
  });
}

/**
 * The state of a container that has a process.
 * @throws NslabError CONTAINER_REFUSED
 */
export function runningState(container: Container): ContainerState {
  const state = stateOf(container);
  if (state?.status === 'running' || state?.status === 'paused') return state;
  throw new NslabError(
    'CONTAINER_REFUSED',
    `container ${container.node} is ${state?.status ?? 'not started'}`,
    {
      hint: `nslab start ${container.node}`,
    },
  );
}

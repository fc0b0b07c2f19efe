// The containers of a lab in the order in which they start: those that depend on nothing first and all at once, then those that
// depend on them, and so on. Between two such waves stands what has to be waited for. Wires are there before any process.

import type { NodeName } from '../base/names.ts';
import {
  type Condition,
  type ContainerSpec,
  dependenciesOf,
  networkOf,
  ownsNetns,
} from '../model/container.ts';
import type { Lab, Node, Place } from '../model/lab.ts';
import { publishedChains } from './filter.ts';
import { tableName } from './mark.ts';
import type { Op } from './op.ts';

type Contained = Node & { readonly container: ContainerSpec };

/** Appends the ops that start the containers; those for /etc are in the list already. */
export function planContainers(lab: Lab, ops: Op[]): void {
  const containers = lab.nodes.filter((node): node is Contained => node.container !== undefined);
  if (containers.length === 0) return;
  const nodes = new Map(lab.nodes.map((node) => [node.name, node]));
  const published = lab.nodes.flatMap((node) => node.ports ?? []);
  const views = new Map(ops.flatMap((op) => (op.kind === 'linkEtc' ? [[op.netns, op.view]] : [])));
  for (const wave of wavesOf(containers)) {
    ops.push(...awaited(wave, nodes));
    for (const node of wave) {
      const place = placeOf(node, nodes);
      const view = place === null ? undefined : views.get(place);
      const ports = published
        .filter((port) => port.node === node.name)
        .map(({ path: _path, ...port }) => port);
      const chains = publishedChains(ports);
      ops.push({
        kind: 'startContainer',
        node: node.name,
        place,
        container: node.container,
        ...(view === undefined ? {} : { view }),
        ...(node.sysctls.length === 0 ? {} : { sysctls: node.sysctls }),
        ...(ports.length === 0 ? {} : { ports }),
        ...(chains.length === 0
          ? {}
          : { published: { family: 'inet', name: tableName(lab.name, null), chains } as const }),
      });
    }
  }
}

/** The namespace that a node is in: its own, the machine's, or that of the node whose network it shares. */
export function placeOf(node: Node, nodes: ReadonlyMap<NodeName, Node>): Place {
  // A circle of names was refused when the file was read.
  for (let at = node, left = nodes.size; left > 0; left--) {
    const network = networkOf(at);
    if (network === 'host') return null;
    if (network === 'own') return at.place;
    const next = nodes.get(network.node);
    if (next === undefined) break;
    at = next;
  }
  throw new Error(`network_mode of ${node.name} leads nowhere`);
}

/** Each container with those of the same depth: one more than that of the deepest it depends on. */
function wavesOf(containers: readonly Contained[]): Contained[][] {
  const byName = new Map(containers.map((node) => [node.name, node]));
  const depths = new Map<NodeName, number>();
  const depthOf = (node: Contained): number => {
    const known = depths.get(node.name);
    if (known !== undefined) return known;
    // So that a circle, which was refused when the file was read, ends here.
    depths.set(node.name, 0);
    const below = dependenciesOf(node).flatMap(({ node: name }) => byName.get(name) ?? []);
    const depth = below.reduce((deepest, one) => Math.max(deepest, depthOf(one) + 1), 0);
    depths.set(node.name, depth);
    return depth;
  };
  const waves: Contained[][] = [];
  for (const node of containers) {
    const depth = depthOf(node);
    waves[depth] = [...(waves[depth] ?? []), node];
  }
  return waves;
}

/** One op for each condition, whoever asks for it. Nodes that are no containers are up already. */
function awaited(wave: readonly Contained[], nodes: ReadonlyMap<NodeName, Node>): Op[] {
  const found = new Map<string, { node: NodeName; condition: Condition; waiters: NodeName[] }>();
  for (const waiter of wave) {
    for (const { node, condition } of dependenciesOf(waiter)) {
      if (nodes.get(node)?.container === undefined) continue;
      const key = `${node} ${condition}`;
      const entry = found.get(key) ?? { node, condition, waiters: [] };
      entry.waiters.push(waiter.name);
      found.set(key, entry);
    }
  }
  return [...found.values()].map((entry) => ({ kind: 'awaitContainer', ...entry }));
}

/** True when the node has a network namespace that nslab makes. */
export function hasOwnNetns(node: Node): boolean {
  return node.place !== null && ownsNetns(node);
}

// What containers want of each other: an order in which all can start, checks that exist where they are waited for, and wires
// only where there is a network namespace of the container's own (`network_mode`).

import { dependenciesOf, networkOf } from '../../model/container.ts';
import type { Node } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, type LabView, pathOf } from './lab-view.ts';

export const containers: LabRule = (view) => {
  const nodes = view.lab.nodes.filter((node) => node.container !== undefined);
  if (nodes.length === 0) return [];
  return [
    ...nodes.flatMap((node) => conditions(view, node)),
    ...nodes.flatMap(sharedNetwork),
    ...circles(nodes, 'depends_on', (node) => dependenciesOf(node).map((one) => one.node)),
    ...circles(nodes, 'network_mode', networkTargets),
  ];
};

function networkTargets(node: Node): readonly string[] {
  const network = networkOf(node);
  return typeof network === 'object' ? [network.node] : [];
}

/** A condition that can never come true. */
function conditions(view: LabView, node: Node): PathProblem[] {
  return dependenciesOf(node).flatMap(({ node: name, condition }): PathProblem[] => {
    const other = view.lab.nodes.find((one) => one.name === name);
    if (other === undefined || condition === 'started') return [];
    const path = pathOf(node, 'depends_on', name, 'condition');
    if (other.container === undefined) {
      const message = `${name} is no container, so nothing of it becomes healthy or ends`;
      return [{ code: 'VALUE_INVALID', message, hint: 'condition: service_started', path }];
    }
    if (condition === 'completed' || hasCheck(other)) return [];
    const message = `${name} has no health check, so it never becomes healthy`;
    return [{ code: 'VALUE_INVALID', message, hint: `give ${name} a \`healthcheck\``, path }];
  });
}

function hasCheck({ container }: Node): boolean {
  // An image may bring its own.
  if (container?.image !== undefined) return true;
  const check = container?.options['healthcheck'] as { test?: unknown; disable?: boolean } | undefined;
  const test = check?.test;
  return check !== undefined && check.disable !== true && !(Array.isArray(test) && test[0] === 'NONE');
}

/** A node without a namespace of its own can have nothing of its own in it. */
function sharedNetwork(node: Node): PathProblem[] {
  const network = networkOf(node);
  if (network === 'own') return [];
  const whose = network === 'host' ? 'the machine' : network.node;
  const owned: readonly (readonly [string, boolean])[] = [
    ['interfaces', node.interfaces.length > 0],
    ['routes', node.routes.length > 0],
    ['rules', node.rules.length > 0],
    ['neighbours', node.neighbours.length > 0],
    ['nat', node.nat.length > 0],
    ['firewall', node.firewall !== undefined],
    ['sysctls', node.sysctls.length > 0],
    ['hosts', node.hosts.length > 0],
    ['dns', node.dns !== undefined],
  ];
  return owned.flatMap(([key, isThere]): PathProblem[] => {
    if (!isThere) return [];
    const message = `${node.name} is in the network of ${whose} and has no ${key} of its own`;
    const hint = network === 'host' ? 'remove it, or remove `network_mode`' : `write it to ${whose}`;
    return [{ code: 'INTERFACE_CONFLICT', message, hint, path: pathOf(node, 'network_mode') }];
  });
}

/** Each circle once, at its first node. */
function circles(
  nodes: readonly Node[],
  key: string,
  targets: (node: Node) => readonly string[],
): PathProblem[] {
  const byName = new Map<string, Node>(nodes.map((node) => [node.name, node]));
  const done = new Set<string>();
  const problems: PathProblem[] = [];
  const walk = (node: Node, trail: readonly string[]): void => {
    const at = trail.indexOf(node.name);
    if (at >= 0) {
      const round = [...trail.slice(at), node.name].join(' -> ');
      // A node that names itself was refused when the key was read.
      if (trail.length - at > 1)
        problems.push({
          code: 'DEPENDS_LOOP',
          message: `${key} goes in a circle: ${round}`,
          path: pathOf(node, key),
        });
      return;
    }
    if (done.has(node.name)) return;
    for (const name of targets(node)) {
      const next = byName.get(name);
      if (next !== undefined) walk(next, [...trail, node.name]);
    }
    done.add(node.name);
  };
  for (const node of nodes) walk(node, []);
  return problems;
}

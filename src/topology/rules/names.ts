// Names that are taken: by the kernel, by another node or interface once prefix and shortening are applied, and host names that
// differ only in upper and lower case, which resolvers do not (hosts(5), RFC 4343).

import type { Interface } from '../../model/interface.ts';
import type { Node } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, pathOf } from './lab-view.ts';

/** sysctl_dev_name_is_allowed() in net/ipv4/devinet.c refuses both: they are folders of /proc/sys/net/ipv4/conf. */
const reserved = new Set(['all', 'default']);

export const names: LabRule = (view) => [
  ...nodeNames(view.lab.nodes),
  ...view.lab.nodes.flatMap((node) => [...interfaceNames(node), ...reservedNames(node)]),
];

function nodeNames(nodes: readonly Node[]): PathProblem[] {
  const firsts = new Map<string, Node>();
  return nodes.flatMap((node): PathProblem[] => {
    const key = node.name.toLowerCase();
    const first = firsts.get(key);
    if (first === undefined) {
      firsts.set(key, node);
      return [];
    }
    return [
      {
        code: 'NAME_DUPLICATE',
        severity: 'warning',
        message: `"${node.name}" and "${first.name}" are one host name: upper and lower case are alike there`,
        hint: `ping ${node.name} may reach ${first.name}; give one of them another name`,
        path: pathOf(node),
        part: 'key',
        related: { message: 'the first one', path: pathOf(first), part: 'key' },
      },
    ];
  });
}

function interfaceNames(node: Node): PathProblem[] {
  const firsts = new Map<string, Interface>();
  const problems: PathProblem[] = [];
  for (const iface of node.interfaces) {
    const { ifname, altname } = iface;
    const first = firsts.get(ifname) ?? (altname === undefined ? undefined : firsts.get(altname));
    if (first !== undefined) problems.push(sameName(node, first, iface));
    firsts.set(ifname, first ?? iface);
    if (altname !== undefined) firsts.set(altname, first ?? iface);
  }
  return problems;
}

function sameName(node: Node, first: Interface, iface: Interface): PathProblem {
  const taken = first.ifname === iface.ifname ? iface.ifname : iface.name;
  return {
    code: 'NAME_DUPLICATE',
    message: `two interfaces of ${node.name} would be called "${taken}"`,
    hint: 'give one of them another name',
    path: pathOf(iface),
    part: 'key',
    related: { message: 'the first one', path: pathOf(first), part: 'key' },
  };
}

function reservedNames(node: Node): PathProblem[] {
  return node.interfaces
    .filter((iface) => reserved.has(iface.ifname))
    .map((iface) => ({
      code: 'NAME_RESERVED' as const,
      message: `the kernel takes no interface called "${iface.ifname}"`,
      hint: 'it is a folder of /proc/sys/net/ipv4/conf; give it another name',
      path: pathOf(iface),
      part: 'key' as const,
    }));
}

// Extra names in a node's /etc/hosts: names that resolvers take (RFC 1123 section 2.1), and not those of other nodes with
// another address.

import type { Node } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, type LabView, pathOf } from './lab-view.ts';

const hostName =
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*\.?$/;

export const hosts: LabRule = (view) => {
  const nodes = new Map<string, Node>(view.lab.nodes.map((node) => [node.name.toLowerCase(), node]));
  return view.lab.nodes.flatMap((node) =>
    node.hosts.flatMap(({ address, names }) =>
      names.flatMap((name): PathProblem[] => {
        const path = pathOf(node, 'hosts', name);
        if (!hostName.test(name)) {
          const message = `"${name}" is not a host name`;
          return [
            { code: 'HOSTS_INVALID', message, hint: 'letters, digits, "-" and "."', path, part: 'key' },
          ];
        }
        const other = nodes.get(name.toLowerCase());
        return other === undefined ? [] : hidden(view, { other, address, path });
      }),
    ),
  );
};

type Entry = { readonly other: Node; readonly address: string; readonly path: PathProblem['path'] };

function hidden(view: LabView, { other, address, path }: Entry): PathProblem[] {
  const own = view.addressesOfNode(other);
  if (own.some((one) => one.address === address)) return [];
  return [
    {
      code: 'HOSTS_INVALID',
      severity: 'warning',
      message: `"${other.name}" is a node of the lab, and ${address} is not its address`,
      hint: 'nodes find each other by name without an entry in hosts',
      path,
    },
  ];
}

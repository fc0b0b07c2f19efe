// Names of interfaces that a node does not have: in routes, rules, neighbours, NAT, the firewall and sysctls. The machine has
// interfaces that the file does not know, so there nothing can be said.

import { didYouMean, listWords } from '../../base/suggest.ts';
import type { Node } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, type LabView, pathOf } from './lab-view.ts';

export const interfaceNames: LabRule = (view) =>
  view.lab.nodes.filter((node) => node.place !== null && mentions(node)).flatMap((node) => check(view, node));

/** Whether the node can name an interface at all: most of a big lab only have a route. */
function mentions({ routes, rules, neighbours, nat, firewall, sysctls }: Node): boolean {
  const lists = [rules, neighbours, nat, sysctls];
  return routes.length > 0 || firewall !== undefined || lists.some((list) => list.length > 0);
}

/** A name with the model object that has it, and the key under which it stands there. */
type Mention = {
  readonly name: string | undefined;
  readonly of: { readonly path: string };
  readonly key: readonly (string | number)[];
};

function check(view: LabView, node: Node): PathProblem[] {
  const mentioned = [...routeMentions(node), ...filterMentions(node), ...sysctlMentions(node)];
  return mentioned.flatMap((mention) => {
    const { name, of, key } = mention;
    if (name === undefined || name === 'lo' || exists(view, node, name)) return [];
    const names = view.names(node);
    const hint =
      didYouMean(name, names) ??
      (names.length === 0
        ? `${node.name} has no interfaces`
        : `${node.name} has ${listWords(names, 'and', 8)}`);
    return {
      code: 'INTERFACE_UNDEFINED' as const,
      message: `${node.name} has no interface "${name}"`,
      hint,
      path: pathOf(of, ...key),
      ...(key.length === 0 ? { part: 'key' as const } : {}),
    };
  });
}

/** nft's `eth*` stands for every interface whose name begins so, also for ones that come later. */
function exists(view: LabView, node: Node, name: string): boolean {
  return name.endsWith('*') || view.find(node.place, name) !== undefined;
}

function routeMentions(node: Node): Mention[] {
  return [
    ...node.routes.flatMap((route) => [
      { name: route.dev, of: route, key: ['dev'] },
      ...(route.nexthops ?? []).map(({ dev }, i) => ({ name: dev, of: route, key: ['nexthops', i, 'dev'] })),
    ]),
    ...node.rules.flatMap((rule) => [
      { name: rule.iif, of: rule, key: ['iif'] },
      { name: rule.oif, of: rule, key: ['oif'] },
    ]),
    ...node.neighbours.map((neighbour) => ({ name: neighbour.dev, of: neighbour, key: ['dev'] })),
  ];
}

function filterMentions(node: Node): Mention[] {
  const chains = [node.firewall?.input, node.firewall?.forward, node.firewall?.output];
  return [
    ...node.nat.map((rule) =>
      rule.kind === 'dnat'
        ? { name: rule.in, of: rule, key: ['in'] }
        : { name: rule.out, of: rule, key: ['out'] },
    ),
    ...chains.flatMap((chain) =>
      (chain?.rules ?? []).flatMap((rule) => [
        { name: rule.in, of: rule, key: ['in'] },
        { name: rule.out, of: rule, key: ['out'] },
      ]),
    ),
  ];
}

/** `net.ipv4.conf.eth0.rp_filter`: the folders conf and neigh have one entry per interface, besides `all` and `default`. */
function sysctlMentions(node: Node): Mention[] {
  return node.sysctls.flatMap((sysctl) => {
    const name = /^net[./]ipv[46][./](?:conf|neigh)[./](.+)[./][^./]+$/.exec(sysctl.key)?.[1];
    if (name === undefined || name === 'all' || name === 'default') return [];
    return [{ name: name.replaceAll('/', '.'), of: sysctl, key: [] }];
  });
}

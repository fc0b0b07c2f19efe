// Names of interfaces that a node does not have: in routes, rules, neighbours, NAT, the firewall and sysctls. The machine has
// interfaces that the file does not know, so there nothing can be said.

import type { Node } from '../../model/lab.ts';
import type { Path, PathProblem } from '../problems.ts';
import { didYouMean, listWords } from '../suggest.ts';
import { type LabRule, type LabView, pathOf } from './lab-view.ts';

export const interfaceNames: LabRule = (view) =>
  view.lab.nodes.filter((node) => node.place !== null).flatMap((node) => check(view, node));

type Mention = { readonly name: string | undefined; readonly path: Path; readonly part?: 'key' };

function check(view: LabView, node: Node): PathProblem[] {
  return [...routeMentions(node), ...filterMentions(node), ...sysctlMentions(node)].flatMap((mention) => {
    const { name, path, part } = mention;
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
      path,
      ...(part === undefined ? {} : { part }),
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
      { name: route.dev, path: pathOf(route, 'dev') },
      ...(route.nexthops ?? []).map(({ dev }, i) => ({
        name: dev,
        path: pathOf(route, 'nexthops', i, 'dev'),
      })),
    ]),
    ...node.rules.flatMap((rule) => [
      { name: rule.iif, path: pathOf(rule, 'iif') },
      { name: rule.oif, path: pathOf(rule, 'oif') },
    ]),
    ...node.neighbours.map((neighbour) => ({ name: neighbour.dev, path: pathOf(neighbour, 'dev') })),
  ];
}

function filterMentions(node: Node): Mention[] {
  const chains = [node.firewall?.input, node.firewall?.forward, node.firewall?.output];
  return [
    ...node.nat.map((rule) =>
      rule.kind === 'dnat'
        ? { name: rule.in, path: pathOf(rule, 'in') }
        : { name: rule.out, path: pathOf(rule, 'out') },
    ),
    ...chains.flatMap((chain) =>
      (chain?.rules ?? []).flatMap((rule) => [
        { name: rule.in, path: pathOf(rule, 'in') },
        { name: rule.out, path: pathOf(rule, 'out') },
      ]),
    ),
  ];
}

/** `net.ipv4.conf.eth0.rp_filter`: the folders conf and neigh have one entry per interface, besides `all` and `default`. */
function sysctlMentions(node: Node): Mention[] {
  return node.sysctls.flatMap((sysctl) => {
    const name = /^net[./]ipv[46][./](?:conf|neigh)[./](.+)[./][^./]+$/.exec(sysctl.key)?.[1];
    if (name === undefined || name === 'all' || name === 'default') return [];
    return [{ name: name.replaceAll('/', '.'), path: pathOf(sysctl), part: 'key' as const }];
  });
}

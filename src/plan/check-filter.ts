// Whether nf_tables would take what the file says of NAT and firewalls. Each line becomes a table of its own and is compiled, so
// that a fault has the place of its line and not only that of the table. Pure; it runs as part of loading a file, before `up`
// touches anything. What is said of a line is nfnl's (nfnl/check.ts).

import type { Problem } from '../base/error.ts';
import type { Firewall, FirewallChain, NatRule } from '../model/filter.ts';
import type { Lab, Node } from '../model/lab.ts';
import { checkTable } from '../nfnl/check.ts';
import { nodeTable } from './filter.ts';

/** A line that cannot be, with its key path. */
export type FilterProblem = Problem & { readonly path: string };

/** Every line of every node that nft or the kernel would refuse, or that could never match. */
export function checkFilters(lab: Lab): FilterProblem[] {
  return lab.nodes.flatMap((node) => [
    ...node.nat.flatMap((rule) => checkNat(node, rule)),
    ...checkFirewall(node, node.firewall),
  ]);
}

function checkNat(node: Node, rule: NatRule): FilterProblem[] {
  const { firewall: _firewall, networks: _networks, ports: _ports, ...rest } = node;
  const message = faultOf({ ...rest, nat: [rule] });
  return message === undefined ? [] : [{ code: 'NAT_INVALID', message, path: rule.path }];
}

function checkFirewall(node: Node, firewall: Firewall | undefined): FilterProblem[] {
  if (firewall === undefined) return [];
  return (['input', 'forward', 'output'] as const).flatMap((hook) => {
    const chain: FirewallChain | undefined = firewall[hook];
    const { networks: _networks, ports: _ports, ...rest } = node;
    return (chain?.rules ?? []).flatMap((rule): FilterProblem[] => {
      const only = { [hook]: { ...chain, rules: [rule] } };
      const message = faultOf({ ...rest, nat: [], firewall: only });
      return message === undefined ? [] : [{ code: 'FIREWALL_INVALID', message, path: rule.path }];
    });
  });
}

/** What is wrong with the table of a node that has only one line. */
function faultOf(node: Node): string | undefined {
  const table = nodeTable(node, 'nslab');
  // The rule as nft text would say nothing new: the place is that of the line.
  return table === undefined ? undefined : checkTable(table)[0]?.message;
}

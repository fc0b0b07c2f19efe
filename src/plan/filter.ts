// A node's NAT and firewall as one nft table: the chains that are needed and no other. The words of a rule are nfnl's.

import type { Node } from '../model/lab.ts';
import type { NftTable } from '../nfnl/ruleset.ts';

/** The table of a node, or undefined when the file asks for none. */
export function nodeTable(node: Node, name: string): NftTable | undefined {
  if (node.nat.length === 0 && node.firewall === undefined) return undefined;
  return { family: 'inet', name, chains: [] };
}

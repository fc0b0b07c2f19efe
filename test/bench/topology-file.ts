// The benchmark's lab as a topology file of nslab. Explicit addresses, so that what is measured is not the allocator; flow style,
// one line a node and a wire, as a generator of big labs would write it.

import type { BenchLab, BenchNode, End } from './shapes.ts';

function nodeLine({ name, kind, address, gateway }: BenchNode): string {
  const keys: string[] = kind === 'netns' ? [] : [`kind: ${kind}`];
  if (address !== undefined) keys.push(`interfaces: { br0: { addresses: [${address}] } }`);
  if (gateway !== undefined) keys.push(`routes: [ "default via ${gateway.via} dev ${gateway.dev}" ]`);
  return `  ${name}: { ${keys.join(', ')} }`;
}

function endText({ node, ifname, address }: End): string {
  const addresses = address === undefined ? '' : `, addresses: [${address}]`;
  return `{ node: ${node}, interface: ${ifname}${addresses} }`;
}

/** The text of a topology file whose namespaces are called PREFIX + node. */
export function topologyFile(lab: BenchLab, prefix: string): string {
  const wires = lab.wires.map(({ near, far }) => `  - endpoints: [ ${endText(near)}, ${endText(far)} ]`);
  return [
    `name: bench-${lab.shape}`,
    `prefix: ${prefix}`,
    'nodes:',
    ...lab.nodes.map(nodeLine),
    'links:',
    ...wires,
    '',
  ].join('\n');
}

// The star and the ring of the benchmark as data: nodes, wires, addresses. Pure. limit.c makes the same shapes with the same
// addresses by itself; the topology file (topology-file.ts) and the scripts (scripts.ts) are written from here.

export type Shape = 'star' | 'ring';

/** A Linux bridge holds 1023 ports (net/bridge/br_private.h BR_PORT_BITS); bigger stars get more switches. PORTS of limit.c. */
const PORTS = 1000;

export type End = { readonly node: string; readonly ifname: string; readonly address?: string };

/** The near end is made first; of a star it is the port of a bridge. */
export type Wire = { readonly near: End; readonly far: End; readonly ports: 'near' | 'both' | 'none' };

export type BenchNode = {
  readonly name: string;
  readonly kind: 'bridge' | 'netns' | 'router';
  /** Address of br0, of the first switch only. */
  readonly address?: string;
  readonly gateway?: { readonly via: string; readonly dev: string };
};

export type BenchLab = {
  readonly shape: Shape;
  readonly nodes: readonly BenchNode[];
  readonly wires: readonly Wire[];
};

function ipv4(offset: number): string {
  const value = 0x0a000000 + offset;
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}

function switchName(index: number): string {
  return index === 0 ? 'sw' : `sw${index + 1}`;
}

function star(n: number): BenchLab {
  const nodes: BenchNode[] = [];
  const wires: Wire[] = [];
  for (let k = 0; k * PORTS < n; k++) {
    const name = switchName(k);
    nodes.push({ name, kind: 'bridge', ...(k === 0 ? { address: `${ipv4(1)}/16` } : {}) });
    if (k > 0)
      wires.push({
        near: { node: name, ifname: 'trunk' },
        far: { node: 'sw', ifname: `t${k + 1}` },
        ports: 'both',
      });
  }
  for (let i = 1; i <= n; i++) {
    const node = `n${i}`;
    nodes.push({ name: node, kind: 'netns', gateway: { via: ipv4(1), dev: 'eth0' } });
    const near = { node: switchName(Math.floor((i - 1) / PORTS)), ifname: `p${i}` };
    wires.push({ near, far: { node, ifname: 'eth0', address: `${ipv4(1 + i)}/16` }, ports: 'near' });
  }
  return { shape: 'star', nodes, wires };
}

function ring(n: number): BenchLab {
  const nodes: BenchNode[] = [];
  const wires: Wire[] = [];
  for (let i = 1; i <= n; i++) {
    const base = 2 * (i - 1);
    nodes.push({ name: `r${i}`, kind: 'router', gateway: { via: ipv4(base + 1), dev: 'eth1' } });
    wires.push({
      near: { node: `r${i}`, ifname: 'eth1', address: `${ipv4(base)}/31` },
      far: { node: `r${(i % n) + 1}`, ifname: 'eth0', address: `${ipv4(base + 1)}/31` },
      ports: 'none',
    });
  }
  return { shape: 'ring', nodes, wires };
}

/** The lab of the shape with N nodes (a star's switches not counted). */
export function benchLab(shape: Shape, n: number): BenchLab {
  return shape === 'star' ? star(n) : ring(n);
}

/** The node that the `exec` benchmark enters. */
export function firstNode(shape: Shape): string {
  return shape === 'star' ? 'n1' : 'r1';
}

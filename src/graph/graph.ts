// A lab as a picture has it: boxes, lines between them, and what is written at the ends of the lines. Plain data, which
// `nslab graph --format json` prints as it is. It knows no position, no colour and no format.

import type { NodeKind } from '../model/lab.ts';

/** `up` and `no carrier` only of a lab that is up; of a file nothing is known but what it wants down. */
export type PortState = 'up' | 'down' | 'no carrier' | 'missing';

export type Graph = {
  readonly lab: string;
  readonly description?: string;
  /** Whether states are those of the kernel or what a file says. */
  readonly source: 'file' | 'kernel';
  readonly vertices: readonly Vertex[];
  readonly edges: readonly Edge[];
};

/** `bridge` is also one inside another node, `network` the bridge of a network of containers. */
export type VertexKind = NodeKind | 'network';

/** A node, or a bridge inside one. */
export type Vertex = {
  /** The node's name, or `NODE/BRIDGE`: no node has a slash in its name. */
  readonly id: string;
  readonly name: string;
  readonly kind: VertexKind;
  /** The node that it is or stands in. */
  readonly node: string;
  /** What makes it special, a word or two each: `NAT`, `firewall`, `postgres:16`. */
  readonly tags: readonly string[];
  /** Of a container, or `missing` where its namespace is gone. */
  readonly state?: string;
  /** Devices at which no line ends. */
  readonly devices: readonly Port[];
  readonly routes: readonly string[];
};

/**
 * `wire`: a veth pair. `inside`: a bridge and the node that it stands in. `tunnel`: vxlan, gre or wireguard. `upper`: a device that
 * stands on one of another node. `shared`: two nodes in one namespace.
 */
export type EdgeKind = 'wire' | 'inside' | 'tunnel' | 'upper' | 'shared';

export type Edge = { readonly kind: EdgeKind; readonly ends: readonly [End, End] };

export type End = { readonly vertex: string } & Partial<Port>;

/** An interface. */
export type Port = {
  readonly ifname: string;
  /** What it is beyond a plain end of a wire: `vlan 10 on eth0`. */
  readonly about?: string;
  readonly addresses: readonly string[];
  readonly mac?: string;
  readonly mtu?: number;
  readonly state?: PortState;
  /** What happens to packets that leave here, an option of tc-netem(8) each. */
  readonly impair?: readonly string[];
};

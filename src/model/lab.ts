// The lab as nslab understands it: everything explicit, every default filled in, every `auto` allocated. It is plain readonly
// data (it serialises to JSON as it is) and knows nothing of files or of the kernel. topology/lower.ts makes it, plan/ reads it.

import type { IpAddress, IpPrefix } from '../base/ip.ts';
import type { LabName, NetnsName, NodeName } from '../base/names.ts';
import type { ContainerSpec } from './container.ts';
import type { Firewall, NatRule } from './filter.ts';
import type { EndRef, Interface } from './interface.ts';
import type { Network, PublishedPort } from './network.ts';
import type { Neighbour, Route, Rule } from './route.ts';
import type { TestSpec } from './test-spec.ts';

/** A network namespace by its name; null is the machine's own, which `host` means in the file. */
export type Place = NetnsName | null;

export type Lab = {
  /** What `ls` and `down` call it: prefix + the `name` of the file. Unique on the machine. */
  readonly name: LabName;
  readonly prefix: string;
  /** Of `up --copies`: which copy it is, and what all of them are copies of. */
  readonly copy?: Copy;
  readonly description?: string;
  /** In the order of the file; the host node, when the file uses it, is last. */
  readonly nodes: readonly Node[];
  /** The wires, for pictures and impairments. The same ends are found as `veth` interfaces of the nodes. */
  readonly links: readonly Link[];
  readonly tests: readonly TestSpec[];
  /** Subnets that pools of `addressing` handed out. */
  readonly allocated: readonly IpPrefix[];
};

export type Copy = {
  /** The name that the lab would have alone. */
  readonly of: string;
  /** From 1. */
  readonly number: number;
};

export type NodeKind = 'netns' | 'router' | 'bridge' | 'container' | 'host';

export type Node = {
  readonly name: NodeName;
  readonly place: Place;
  readonly kind: NodeKind;
  /** In an order in which they can be made: what another needs (a bridge, a vlan's parent) comes first. */
  readonly interfaces: readonly Interface[];
  readonly routes: readonly Route[];
  readonly rules: readonly Rule[];
  readonly neighbours: readonly Neighbour[];
  readonly nat: readonly NatRule[];
  readonly firewall?: Firewall;
  /** Of the machine alone: the networks of containers that the lab makes, and the ports that lead to containers. */
  readonly networks?: readonly Network[];
  readonly ports?: readonly PublishedPort[];
  /** Written in this order. Those that `kind: router` or `nat` imply are in it already. */
  readonly sysctls: readonly Sysctl[];
  /** Extra lines of the node's /etc/hosts. */
  readonly hosts: readonly HostsEntry[];
  readonly dns?: Dns;
  /** Commands run inside the node at the end of `up`, argument vectors. */
  readonly exec: readonly (readonly string[])[];
  /** A command that fails is told, and the lab comes up all the same. */
  readonly execMayFail?: true;
  readonly labels: Readonly<Record<string, string>>;
  readonly container?: ContainerSpec;
  /** Its key path in the file, `nodes.pc1`. */
  readonly path: string;
};

export type Sysctl = {
  /** As sysctl(8) prints it, `net.ipv4.ip_forward`; a dot inside an interface name is written `/`. */
  readonly key: string;
  readonly value: string;
  readonly path: string;
};

export type HostsEntry = { readonly address: IpAddress; readonly names: readonly string[] };

export type Dns = {
  readonly servers: readonly IpAddress[];
  readonly search: readonly string[];
  readonly options: readonly string[];
};

export type Link = {
  readonly ends: readonly [EndRef, EndRef];
  /** One per direction: `impair[0]` shapes what leaves `ends[0]` (model/impairment.ts: its queueing discipline). */
  readonly impair: readonly [Impairment | undefined, Impairment | undefined];
  readonly path: string;
};

/** tc-netem(8)'s words. Times in microseconds, rates in bit/s, probabilities from 0 to 1. */
export type Impairment = {
  readonly delay?: number;
  readonly jitter?: number;
  readonly loss?: number;
  readonly corrupt?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  readonly rate?: number;
  /** Packets. */
  readonly limit?: number;
};

// A lab with what the rules ask of it again and again: interfaces by name, addresses as numbers, what is joined at layer 2.
// Everything is worked out once, when first asked for. It holds facts and judges nothing.

import {
  addressOf,
  type IpAddress,
  type IpFamily,
  ipFamily,
  ipToBigInt,
  prefixLength,
} from '../../base/ip.ts';
import type { Interface, InterfaceAddress } from '../../model/interface.ts';
import type { Lab, Node, Place } from '../../model/lab.ts';
import { type Path, type PathProblem, parsePathText } from '../problems.ts';
import { findSegments, type Segment } from './segments.ts';

/** A rule looks at a whole lab and names what is wrong with it. It never throws and never changes anything. */
export type LabRule = (view: LabView) => PathProblem[];

/** An address with its interface, and its bits as a number. */
export type Assigned = {
  readonly node: Node;
  readonly iface: Interface;
  readonly entry: InterfaceAddress;
  readonly address: IpAddress;
  readonly family: IpFamily;
  readonly length: number;
  readonly bits: bigint;
};

const NONE: readonly Assigned[] = [];

export class LabView {
  readonly lab: Lab;
  private readonly tables = new Map<Place, Map<string, Interface>>();
  private readonly assignedOf = new Map<Interface, readonly Assigned[]>();
  private readonly assignedOfNode = new Map<Node, readonly Assigned[]>();
  private segmentList: readonly Segment[] | undefined;
  private segmentTable: Map<Interface, Segment> | undefined;
  private ownerTable: Map<string, Assigned[]> | undefined;

  constructor(lab: Lab) {
    this.lab = lab;
    for (const node of lab.nodes) {
      const table = new Map<string, Interface>();
      for (const iface of node.interfaces) {
        if (iface.altname !== undefined) table.set(iface.altname, iface);
        table.set(iface.ifname, iface);
      }
      this.tables.set(node.place, table);
    }
  }

  /** The interface of that name (kernel's or full) in a place. */
  find(place: Place, name: string): Interface | undefined {
    return this.tables.get(place)?.get(name);
  }

  /** The names by which the interfaces of a node may be called. */
  names(node: Node): string[] {
    return node.interfaces.map((iface) => iface.name);
  }

  /** The addresses of an interface. */
  addresses(node: Node, iface: Interface): readonly Assigned[] {
    if (iface.addresses.length === 0) return NONE;
    let list = this.assignedOf.get(iface);
    if (list === undefined) {
      list = iface.addresses.map((entry) => assigned(node, iface, entry));
      this.assignedOf.set(iface, list);
    }
    return list;
  }

  /** The addresses of all interfaces of a node. */
  addressesOfNode(node: Node): readonly Assigned[] {
    let list = this.assignedOfNode.get(node);
    if (list === undefined) {
      const all: Assigned[] = [];
      for (const iface of node.interfaces) {
        if (iface.addresses.length > 0) all.push(...this.addresses(node, iface));
      }
      list = all;
      this.assignedOfNode.set(node, list);
    }
    return list;
  }

  /** Those who have an address, anywhere in the lab. */
  ownersOf(address: IpAddress): readonly Assigned[] {
    if (this.ownerTable === undefined) {
      this.ownerTable = new Map();
      for (const node of this.lab.nodes) {
        for (const one of this.addressesOfNode(node)) {
          const list = this.ownerTable.get(one.address);
          if (list === undefined) this.ownerTable.set(one.address, [one]);
          else list.push(one);
        }
      }
    }
    return this.ownerTable.get(address) ?? [];
  }

  /** Interfaces that hear each other's frames, by wires, bridges and what stands on them. */
  segments(): readonly Segment[] {
    this.segmentList ??= findSegments(this);
    return this.segmentList;
  }

  /** The segment that an interface's own untagged frames are heard in. */
  segmentOf(iface: Interface): Segment | undefined {
    if (this.segmentTable === undefined) {
      this.segmentTable = new Map();
      for (const segment of this.segments()) {
        for (const member of segment.members) this.segmentTable.set(member.iface, segment);
      }
    }
    return this.segmentTable.get(iface);
  }
}

function assigned(node: Node, iface: Interface, entry: InterfaceAddress): Assigned {
  const address = addressOf(entry.ip);
  return {
    node,
    iface,
    entry,
    address,
    family: ipFamily(entry.ip),
    length: prefixLength(entry.ip),
    bits: ipToBigInt(address),
  };
}

/** Bits of an address of that family. */
export function width(family: IpFamily): number {
  return family === 4 ? 32 : 128;
}

/** True when an address lies in the subnet of an interface's address, or in that of its peer. */
export function inSubnetOf(one: Assigned, address: IpAddress): boolean {
  if (ipFamily(address) !== one.family) return false;
  const bits = ipToBigInt(address);
  const { peer } = one.entry;
  if (peer === undefined) return sameSubnet(one.bits, bits, one);
  return sameSubnet(ipToBigInt(addressOf(peer)), bits, { family: one.family, length: prefixLength(peer) });
}

function sameSubnet(a: bigint, b: bigint, { family, length }: { family: IpFamily; length: number }): boolean {
  const shift = BigInt(width(family) - length);
  return a >> shift === b >> shift;
}

/** True when the two have a subnet in common, or one lies in the other. */
export function subnetsOverlap(a: Assigned, b: Assigned): boolean {
  if (a.family !== b.family) return false;
  if (a.address === b.address) return true;
  return sameSubnet(a.bits, b.bits, { family: a.family, length: Math.min(a.length, b.length) });
}

/** An address of one machine alone (/32, /128), as loopbacks and unnumbered wires have. */
export function isSingle(one: Assigned): boolean {
  return one.length === width(one.family);
}

/** fe80::/10: every wire has these, and they mean something only on their wire. */
export function isLinkLocal(address: IpAddress): boolean {
  return /^fe[89ab]/.test(address);
}

/** The path of a model object, or of one of its keys. */
export function pathOf(object: { readonly path: string }, ...steps: readonly (string | number)[]): Path {
  return [...parsePathText(object.path), ...steps];
}

/** `pc1:eth0`, as endpoints are written. */
export function label(one: { readonly node: Node; readonly iface: Interface }): string {
  return `${one.node.name}:${one.iface.name}`;
}

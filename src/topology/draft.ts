// What lowering knows about a lab while it works: nodes and interfaces that are still being put together from the two places
// where a file may describe them, and the problems found so far. Nothing here leaves the room; lower.ts turns it into a Lab.

import type { ErrorCode } from '../base/error-catalogue.ts';
import type { IpAddress, IpPrefix } from '../base/ip.ts';
import type { IfName, LabName, NetnsName, NodeName } from '../base/names.ts';
import { didYouMean } from '../base/suggest.ts';
import type { InterfaceAddress } from '../model/interface.ts';
import type { Copy, NodeKind } from '../model/lab.ts';
import type { MachineFacts } from '../model/network.ts';
import type { Pool } from './ipam.ts';
import type { DraftNetwork } from './lower-networks.ts';
import type { Path, PathProblem } from './problems.ts';
import type { LinkFile, TopologyFile } from './schema.ts';
import type { AddressFile, InterfaceFile, PortFile } from './schema-interface.ts';
import type { NodeFile } from './schema-node.ts';

/** A value of the file with its place. */
export type Placed<T> = { readonly value: T; readonly path: Path };

/** The keys that every type has; lower-interfaces.ts narrows to those of one type. */
export type InterfaceKeys = {
  type?: InterfaceType;
  mac?: string;
  mtu?: number;
  up?: boolean;
  master?: string;
  port?: PortFile;
  ipv6?: boolean;
};
export type InterfaceType = NonNullable<InterfaceFile['type']> | 'loopback';

/** One entry of `addresses`: what it came to. `auto` may come to one address of each family. */
export type AddressSlot = { readonly path: Path; readonly auto: boolean; resolved: InterfaceAddress[] };

export type DraftInterface = {
  readonly node: DraftNode;
  readonly name: string;
  /** Set by lower-names.ts once all interfaces of the node are known. */
  ifname: IfName;
  altname?: string;
  /** What the kernel is to call it, where another copy of the lab has the name of the file. */
  kernelName?: string;
  readonly path: Path;
  /** The keys of both places put together, but for `addresses`. */
  readonly keys: InterfaceKeys;
  /** Where each key stands: the path of the mapping that has it. */
  readonly keyHomes: Map<string, Path>;
  readonly addresses: Placed<AddressFile>[];
  readonly slots: AddressSlot[];
  /** Further names of the node for those who are in the same network. */
  aliases?: readonly string[];
  /** The other end, when a link ends here. */
  wire?: { readonly peer: DraftInterface; readonly link: number };
};

export type DraftNode = {
  readonly name: NodeName;
  readonly kind: NodeKind;
  readonly place: NetnsName | null;
  readonly file: NodeFile;
  readonly path: Path;
  readonly interfaces: Map<string, DraftInterface>;
  /** Default routes that `auto` addresses bring. */
  readonly autoRoutes: { readonly via: IpAddress; readonly dev: DraftInterface; readonly path: Path }[];
  /** The machine's addresses in its networks, in the order of these. */
  readonly gateways: IpAddress[];
};

/** Collects problems; lowering goes on after each. */
export class Report {
  readonly problems: PathProblem[] = [];

  add(problem: PathProblem): void {
    this.problems.push(problem);
  }

  /** Adds a mistake at a value, and is undefined so that a reader can return it. */
  fail(path: Path, code: ErrorCode, message: string, hint?: string): undefined {
    this.problems.push({ code, message, path, ...(hint === undefined ? {} : { hint }) });
    return undefined;
  }

  /** A near name; not after a hundred problems, when nobody reads on and comparing all with all would take minutes. */
  nearName(name: string, names: () => Iterable<string>): string | undefined {
    return this.problems.length < 100 ? didYouMean(name, names()) : undefined;
  }
}

export type DraftLink = {
  readonly file: LinkFile;
  readonly path: Path;
  readonly ends: readonly [DraftInterface, DraftInterface];
};

/** What every step of lowering is given. */
export type Lowering = {
  readonly file: TopologyFile;
  readonly name: LabName;
  readonly prefix: string;
  /** Which copy of the file this is, where it is one of several. */
  readonly copy: Copy | undefined;
  readonly report: Report;
  /** In the order of the file. */
  readonly nodes: DraftNode[];
  /** By every name that the file may use: `host` also stands for a node of that kind with another name. */
  readonly byName: Map<string, DraftNode>;
  readonly links: DraftLink[];
  /** Subnets that pools handed out. */
  readonly allocated: IpPrefix[];
  readonly networks: DraftNetwork[];
  /** Where subnets of networks come from, once somebody has asked. */
  readonly pools: { 4?: readonly Pool[]; 6?: readonly Pool[] };
  /** What is asked of the machine; undefined where nobody can be asked, as in a test. */
  readonly machine: () => MachineFacts | undefined;
};

/** Where a key of an interface stands, or the interface where the file does not have the key. */
export function keyPath(draft: DraftInterface, key: string): Path {
  const home = draft.keyHomes.get(key);
  return home === undefined ? draft.path : [...home, key];
}

/** The interfaces of a node by the names a user may call them: full name or kernel name. */
export function findInterface(node: DraftNode, name: string): DraftInterface | undefined {
  const direct = node.interfaces.get(name);
  if (direct !== undefined) return direct;
  for (const candidate of node.interfaces.values()) if (candidate.ifname === name) return candidate;
  return undefined;
}

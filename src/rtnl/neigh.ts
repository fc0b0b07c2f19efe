// Neighbours: which hardware address an IP address has; and the same message for the forwarding database of bridges and vxlans.
// ip-neighbour(8), bridge(8) "fdb", linux/neighbour.h, net/core/neighbour.c, net/core/rtnetlink.c rtnl_fdb_add().

import type { IpAddress } from '../base/ip.ts';
import type { MacAddress } from '../base/names.ts';
import { readIp } from './ip-bytes.ts';
import { defined } from './link-attributes.ts';
import {
  attributeMap,
  type MessageWriter,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type Request,
  readBe16,
  readMac,
  readU16,
  readU32,
} from './message.ts';
import {
  AF_BRIDGE,
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  familyOf,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from './rtnetlink.ts';
import type { Transport } from './transport.ts';

const NDMSG_LEN = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_VLAN = 5;
const NDA_PORT = 6;
const NDA_VNI = 7;
const NDA_IFINDEX = 8;
const NDA_MASTER = 9;
const NDA_SRC_VNI = 11;

const NTF_SELF = 0x02;
const NTF_MASTER = 0x04;
const NTF_PROXY = 0x08;
const NTF_EXT_LEARNED = 0x10;
const NTF_ROUTER = 0x80;

// linux/neighbour.h, NUD_*
const states = {
  none: 0,
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const;

/** How much the kernel trusts an entry. */
type NeighbourState = keyof typeof states;

/** An entry to add: `permanent` unless a state is given. */
export type NewNeighbour = {
  readonly ifindex: number;
  readonly address: IpAddress;
  readonly lladdr?: MacAddress;
  readonly state?: NeighbourState;
  /** Answer for this address on the link; it has no hardware address. */
  readonly proxy?: true;
  readonly router?: true;
};

export function newNeighbour(neighbour: NewNeighbour): Request {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: (writer) => writeNeighbour(writer, neighbour),
  };
}

export function replaceNeighbour(neighbour: NewNeighbour): Request {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    payload: (writer) => writeNeighbour(writer, neighbour),
  };
}

export function delNeighbour(neighbour: Pick<NewNeighbour, 'ifindex' | 'address' | 'proxy'>): Request {
  return { type: RTM_DELNEIGH, payload: (writer) => writeNeighbour(writer, neighbour) };
}

type Ndmsg = {
  readonly family: number;
  readonly ifindex: number;
  readonly state: number;
  readonly flags: number;
};

function writeNdmsg(writer: MessageWriter, { family, ifindex, state, flags }: Ndmsg): void {
  writer.u32(family);
  writer.u32(ifindex);
  writer.u16(state);
  writer.u8(flags);
  writer.u8(0);
}

function writeNeighbour(writer: MessageWriter, neighbour: NewNeighbour): void {
  writeNdmsg(writer, {
    family: familyOf(neighbour.address),
    ifindex: neighbour.ifindex,
    state: states[neighbour.state ?? 'permanent'],
    flags: (neighbour.proxy ? NTF_PROXY : 0) | (neighbour.router ? NTF_ROUTER : 0),
  });
  writer.attrIp(NDA_DST, neighbour.address);
  if (neighbour.lladdr !== undefined) writer.attrMac(NDA_LLADDR, neighbour.lladdr);
}

/** A neighbour as the kernel shows it. */
export type Neighbour = {
  readonly ifindex: number;
  readonly address: IpAddress;
  readonly lladdr?: MacAddress;
  readonly state: NeighbourState;
  readonly proxy: boolean;
  readonly router: boolean;
};

/** Reads the payload of an RTM_NEWNEIGH; undefined where it is none of IPv4 or IPv6. */
export function parseNeighbour(payload: Buffer): Neighbour | undefined {
  if (payload.length < NDMSG_LEN) return undefined;
  const attributes = attributeMap(payload, NDMSG_LEN);
  const address = readIp(attributes.get(NDA_DST));
  const family = payload.readUInt8(0);
  if (address === undefined || (family !== AF_INET && family !== AF_INET6)) return undefined;
  const lladdr = readMac(attributes.get(NDA_LLADDR)) as MacAddress | undefined;
  const flags = payload.readUInt8(10);
  return {
    ifindex: payload.readUInt32LE(4),
    address,
    ...(lladdr === undefined ? {} : { lladdr }),
    state: stateName(payload.readUInt16LE(8)),
    proxy: (flags & NTF_PROXY) !== 0,
    router: (flags & NTF_ROUTER) !== 0,
  };
}

function stateName(number: number): NeighbourState {
  return (Object.keys(states) as NeighbourState[]).find((name) => states[name] === number) ?? 'none';
}

/** Narrows a dump in the kernel. Entries that answer for others come only when they are asked for. */
type NeighbourFilter = {
  readonly family?: typeof AF_INET | typeof AF_INET6;
  readonly ifindex?: number;
  readonly proxy?: true;
};

export function getNeighbours(transport: Transport, filter: NeighbourFilter = {}): Neighbour[] {
  const payloads = transport.dump({
    type: RTM_GETNEIGH,
    payload(writer) {
      const flags = filter.proxy === true ? NTF_PROXY : 0;
      writeNdmsg(writer, { family: filter.family ?? AF_UNSPEC, ifindex: 0, state: 0, flags });
      if (filter.ifindex !== undefined) writer.attrU32(NDA_IFINDEX, filter.ifindex);
    },
  });
  return payloads.map(parseNeighbour).filter((neighbour) => neighbour !== undefined);
}

/** An entry of the forwarding database of a bridge (`master`) or of a vxlan (`self`). */
export type FdbEntry = {
  /** The port of the bridge, or the vxlan. */
  readonly ifindex: number;
  readonly lladdr: MacAddress | '00:00:00:00:00:00';
  /** Where it is kept: in the master of the link, or in the link itself. */
  readonly in: 'master' | 'self';
  /** `permanent`: an address of the port itself; `static`: never aged; `dynamic`: aged. */
  readonly state: 'permanent' | 'static' | 'dynamic';
  readonly vlan?: number;
  /** The machine a vxlan sends the frame to. */
  readonly dst?: IpAddress;
  readonly port?: number;
  readonly vni?: number;
  readonly srcVni?: number;
  /** The ifindex of the link a vxlan sends over. */
  readonly via?: number;
  readonly extLearned?: true;
};

const fdbStates = {
  permanent: states.permanent,
  static: states.noarp | states.reachable,
  dynamic: states.reachable,
} as const;

export function newFdbEntry(entry: FdbEntry): Request {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: (writer) => writeFdb(writer, entry),
  };
}

/** Adds one more destination to an address of a vxlan: `bridge fdb append 00:00:00:00:00:00 dst ...` floods to all of them. */
export function appendFdbEntry(entry: FdbEntry): Request {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_APPEND,
    payload: (writer) => writeFdb(writer, entry),
  };
}

export function delFdbEntry(entry: FdbEntry): Request {
  return { type: RTM_DELNEIGH, payload: (writer) => writeFdb(writer, entry) };
}

function writeFdb(writer: MessageWriter, entry: FdbEntry): void {
  writeNdmsg(writer, {
    family: AF_BRIDGE,
    ifindex: entry.ifindex,
    // Reachable alone is what the kernel ages; NUD_NOARP stops that (fdb_to_nud(), net/bridge/br_fdb.c).
    state: fdbStates[entry.state],
    flags: (entry.in === 'self' ? NTF_SELF : NTF_MASTER) | (entry.extLearned ? NTF_EXT_LEARNED : 0),
  });
  writer.attrMac(NDA_LLADDR, entry.lladdr);
  if (entry.dst !== undefined) writer.attrIp(NDA_DST, entry.dst);
  if (entry.vlan !== undefined) writer.attrU16(NDA_VLAN, entry.vlan);
  if (entry.port !== undefined) writer.attrBe16(NDA_PORT, entry.port);
  if (entry.vni !== undefined) writer.attrU32(NDA_VNI, entry.vni);
  if (entry.srcVni !== undefined) writer.attrU32(NDA_SRC_VNI, entry.srcVni);
  if (entry.via !== undefined) writer.attrU32(NDA_IFINDEX, entry.via);
}

/** An entry as the kernel shows it, with the bridge it is in. */
type ReadFdbEntry = FdbEntry & { readonly master?: number };

/** Reads the payload of an RTM_NEWNEIGH of AF_BRIDGE. */
export function parseFdbEntry(payload: Buffer): ReadFdbEntry | undefined {
  if (payload.length < NDMSG_LEN || payload.readUInt8(0) !== AF_BRIDGE) return undefined;
  const attributes = attributeMap(payload, NDMSG_LEN);
  const lladdr = readMac(attributes.get(NDA_LLADDR)) as MacAddress | undefined;
  if (lladdr === undefined) return undefined;
  const state = payload.readUInt16LE(8);
  const flags = payload.readUInt8(10);
  return {
    ifindex: payload.readUInt32LE(4),
    lladdr,
    in: (flags & NTF_SELF) === 0 ? 'master' : 'self',
    state: fdbState(state),
    ...defined<Omit<ReadFdbEntry, 'ifindex' | 'lladdr' | 'in' | 'state'>>({
      vlan: readU16(attributes.get(NDA_VLAN)),
      dst: readIp(attributes.get(NDA_DST)),
      port: readBe16(attributes.get(NDA_PORT)),
      vni: readU32(attributes.get(NDA_VNI)),
      srcVni: readU32(attributes.get(NDA_SRC_VNI)),
      via: readU32(attributes.get(NDA_IFINDEX)),
      master: readU32(attributes.get(NDA_MASTER)),
      extLearned: (flags & NTF_EXT_LEARNED) === 0 ? undefined : true,
    }),
  };
}

function fdbState(number: number): FdbEntry['state'] {
  if ((number & states.permanent) !== 0) return 'permanent';
  return (number & states.noarp) !== 0 ? 'static' : 'dynamic';
}

/** The forwarding databases of all bridges and vxlans, or of one port or vxlan. */
export function getFdb(transport: Transport, filter: { readonly ifindex?: number } = {}): ReadFdbEntry[] {
  const payloads = transport.dump({
    type: RTM_GETNEIGH,
    payload: (writer) =>
      writeNdmsg(writer, { family: AF_BRIDGE, ifindex: filter.ifindex ?? 0, state: 0, flags: 0 }),
  });
  return payloads.map(parseFdbEntry).filter((entry) => entry !== undefined);
}

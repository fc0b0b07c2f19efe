// What a bridge knows of one of its ports, and the VLANs of a port. bridge(8) "link" and "vlan", linux/if_link.h IFLA_BRPORT_*,
// linux/if_bridge.h IFLA_BRIDGE_*, net/bridge/br_netlink.c.

import {
  type AttributeTable,
  bool,
  decodeTable,
  encodeTable,
  u8,
  u16,
  u32,
  word,
} from './attribute-table.ts';
import { IFLA_AF_SPEC, IFLA_EXT_MASK, IFLA_LINKINFO } from './link-attributes.ts';
import { writeSlaveInfo } from './linkinfo/linkinfo.ts';
import {
  attributeMap,
  eachAttribute,
  type MessageWriter,
  NLA_F_NESTED,
  type Request,
  readU16,
} from './message.ts';
import {
  AF_BRIDGE,
  IFINFOMSG_LEN,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
  writeIfinfomsg,
} from './rtnetlink.ts';
import type { Transport } from './transport.ts';

const IFLA_BRIDGE_FLAGS = 0;
const IFLA_BRIDGE_VLAN_INFO = 2;
const BRIDGE_FLAGS_SELF = 2;
const BRIDGE_VLAN_INFO_PVID = 2;
const BRIDGE_VLAN_INFO_UNTAGGED = 4;
const BRIDGE_VLAN_INFO_RANGE_BEGIN = 8;
const BRIDGE_VLAN_INFO_RANGE_END = 16;
const RTEXT_FILTER_BRVLAN_COMPRESSED = 4;

/** A port of a bridge, in the words of `bridge -j link`. */
export type BridgePort = {
  /** Only without STP can it be set, and a port set to `blocking` forwards again at once (br_make_forwarding()). */
  readonly state?: 'disabled' | 'listening' | 'learning' | 'forwarding' | 'blocking';
  /** 0 to 63. */
  readonly priority?: number;
  readonly cost?: number;
  /** Frames may go back out of the port they came in by. */
  readonly hairpin?: boolean;
  /** BPDU guard: a port that hears STP is shut. */
  readonly guard?: boolean;
  readonly root_block?: boolean;
  readonly fastleave?: boolean;
  readonly learning?: boolean;
  readonly flood?: boolean;
  readonly proxy_arp?: boolean;
  readonly proxy_arp_wifi?: boolean;
  readonly multicast_router?: number;
  readonly mcast_flood?: boolean;
  readonly mcast_to_unicast?: boolean;
  readonly vlan_tunnel?: boolean;
  readonly bcast_flood?: boolean;
  readonly group_fwd_mask?: number;
  readonly neigh_suppress?: boolean;
  /** Isolated ports do not reach each other. */
  readonly isolated?: boolean;
  readonly locked?: boolean;
};

const bridgePortTable: AttributeTable<BridgePort> = {
  state: word(u8(1), { disabled: 0, listening: 1, learning: 2, forwarding: 3, blocking: 4 }),
  priority: u16(2),
  cost: u32(3),
  hairpin: bool(4),
  guard: bool(5),
  root_block: bool(6),
  fastleave: bool(7),
  learning: bool(8),
  flood: bool(9),
  proxy_arp: bool(10),
  proxy_arp_wifi: bool(12),
  multicast_router: u8(25),
  mcast_flood: bool(27),
  mcast_to_unicast: bool(28),
  vlan_tunnel: bool(29),
  bcast_flood: bool(30),
  group_fwd_mask: u16(31),
  neigh_suppress: bool(32),
  isolated: bool(33),
  locked: bool(39),
};

/**
 * Changes a port. It must be in its bridge already: the kernel reads these attributes before it looks at IFLA_MASTER of the
 * same message, so it takes a message after the one that made the link a port.
 */
export function setBridgePort(ifindex: number, port: BridgePort): Request {
  return {
    type: RTM_NEWLINK,
    payload(writer) {
      writeIfinfomsg(writer, { ifindex });
      writeSlaveInfo(writer, IFLA_LINKINFO, {
        kind: 'bridge',
        data: (inner) => encodeTable(inner, bridgePortTable, port),
      });
    },
  };
}

/** The port's data of a link (`slaveData` of a Link whose `slaveKind` is bridge). */
export function parseBridgePort(slaveData: Buffer): BridgePort {
  return decodeTable(bridgePortTable, slaveData);
}

/** VLANs of a port, from the first to the last. */
export type PortVlan = {
  readonly vid: number;
  /** The last of a range; `vid` alone where it is absent. */
  readonly vidEnd?: number;
  /** Frames that come in without a tag belong to it. Not of a range. */
  readonly pvid?: boolean;
  /** Frames go out without their tag. */
  readonly untagged?: boolean;
};

/** Where a VLAN is configured: at a port, or (`self`) at the bridge as a host on its own switch. */
type VlanTarget = { readonly ifindex: number; readonly self?: true };

export function addPortVlans(target: VlanTarget, vlans: readonly PortVlan[]): Request {
  return { type: RTM_SETLINK, payload: (writer) => writePortVlans(writer, target, vlans) };
}

export function delPortVlans(target: VlanTarget, vlans: readonly PortVlan[]): Request {
  return { type: RTM_DELLINK, payload: (writer) => writePortVlans(writer, target, vlans) };
}

function writePortVlans(writer: MessageWriter, target: VlanTarget, vlans: readonly PortVlan[]): void {
  writeIfinfomsg(writer, { family: AF_BRIDGE, ifindex: target.ifindex });
  const spec = writer.nest(IFLA_AF_SPEC | NLA_F_NESTED);
  if (target.self === true) writer.attrU16(IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF);
  for (const vlan of vlans) {
    const flags =
      (vlan.pvid === true ? BRIDGE_VLAN_INFO_PVID : 0) |
      (vlan.untagged === true ? BRIDGE_VLAN_INFO_UNTAGGED : 0);
    if (vlan.vidEnd === undefined || vlan.vidEnd === vlan.vid) {
      writeVlanInfo(writer, flags, vlan.vid);
    } else {
      writeVlanInfo(writer, flags | BRIDGE_VLAN_INFO_RANGE_BEGIN, vlan.vid);
      writeVlanInfo(writer, flags | BRIDGE_VLAN_INFO_RANGE_END, vlan.vidEnd);
    }
  }
  writer.endNest(spec);
}

/** struct bridge_vlan_info */
function writeVlanInfo(writer: MessageWriter, flags: number, vid: number): void {
  writer.attrU32(IFLA_BRIDGE_VLAN_INFO, (vid << 16) | flags);
}

/** The VLANs of every port and of every bridge, by ifindex. */
export function getPortVlans(transport: Transport): Map<number, PortVlan[]> {
  const payloads = transport.dump({
    type: RTM_GETLINK,
    payload(writer) {
      writeIfinfomsg(writer, { family: AF_BRIDGE });
      writer.attrU32(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
    },
  });
  const found = new Map<number, PortVlan[]>();
  for (const payload of payloads) {
    if (payload.length < IFINFOMSG_LEN) continue;
    const spec = attributeMap(payload, IFINFOMSG_LEN).get(IFLA_AF_SPEC);
    if (spec !== undefined) found.set(payload.readInt32LE(4), parsePortVlans(spec));
  }
  return found;
}

/** Reads IFLA_AF_SPEC of a bridge link message. */
export function parsePortVlans(spec: Buffer): PortVlan[] {
  const vlans: PortVlan[] = [];
  let begin: number | undefined;
  eachAttribute(spec, 0, (type, value) => {
    const flags = readU16(value);
    const vid = readU16(value.subarray(2));
    if (type !== IFLA_BRIDGE_VLAN_INFO || flags === undefined || vid === undefined) return;
    if ((flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) !== 0) {
      begin = vid;
      return;
    }
    const first = (flags & BRIDGE_VLAN_INFO_RANGE_END) === 0 ? vid : (begin ?? vid);
    begin = undefined;
    vlans.push({
      vid: first,
      ...(first === vid ? {} : { vidEnd: vid }),
      ...((flags & BRIDGE_VLAN_INFO_PVID) === 0 ? {} : { pvid: true }),
      ...((flags & BRIDGE_VLAN_INFO_UNTAGGED) === 0 ? {} : { untagged: true }),
    });
  });
  return vlans;
}

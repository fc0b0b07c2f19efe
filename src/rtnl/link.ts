// Links: the requests that make, change, delete and show them, and what a dump of them says. ip-link(8),
// linux/if_link.h, net/core/rtnetlink.c.

import { RtnlError } from './error.ts';
import {
  type AddrGenMode,
  defined,
  IFLA_AF_SPEC,
  IFLA_ALT_IFNAME,
  IFLA_BROADCAST,
  IFLA_CARRIER,
  IFLA_EXT_MASK,
  IFLA_GROUP,
  IFLA_IFNAME,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_OPERSTATE,
  IFLA_PERM_ADDRESS,
  IFLA_PROMISCUITY,
  IFLA_PROP_LIST,
  IFLA_QDISC,
  type LinkAttributes,
  readAddrGenMode,
  readAltnames,
  readLinkAttributes,
  writeAddrGenMode,
  writeAltnames,
  writeLinkAttributes,
} from './link-attributes.ts';
import { type LinkInfo, readLinkInfo, writeLinkInfo } from './linkinfo/linkinfo.ts';
import {
  attributeMap,
  type MessageWriter,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  type Request,
  readMac,
  readString,
  readU8,
  readU32,
} from './message.ts';
import {
  IFF_UP,
  IFINFOMSG_LEN,
  RTM_DELLINK,
  RTM_DELLINKPROP,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_NEWLINKPROP,
  RTM_SETLINK,
  writeIfinfomsg,
} from './rtnetlink.ts';
import type { Transport } from './transport.ts';

/** IFNAMSIZ with the closing NUL; longer names are altnames and have their own attribute. */
const IFNAMSIZ = 16;
/** RTEXT_FILTER_SKIP_STATS: half of a link in a dump is counters nobody here reads. */
const RTEXT_FILTER_SKIP_STATS = 8;
const IFF_LOWER_UP = 0x1_0000;
const ENODEV = 19;

/** A link to make. */
export type NewLink = LinkAttributes & {
  readonly info: LinkInfo;
  /** Asks for this ifindex. */
  readonly ifindex?: number;
  /** Up at once; not possible for a link that is born in another namespace together with its peer. */
  readonly up?: boolean;
};

/** A link that is there, by its index or by one of its names. */
export type LinkRef = { readonly ifindex: number } | { readonly ifname: string };

/** What to change about a link; `ifname` renames it, `info` changes data of its kind. */
export type LinkChange = Omit<LinkAttributes, 'numTxQueues' | 'numRxQueues'> & {
  readonly up?: boolean;
  readonly addrGenMode?: AddrGenMode;
  readonly info?: LinkInfo;
};

/** RTM_NEWLINK that fails with EEXIST where the name or the index is taken. */
export function newLink(link: NewLink): Request {
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload(writer) {
      writeIfinfomsg(writer, { ifindex: link.ifindex, ...upFlags(link.up) });
      writeLinkAttributes(writer, link);
      writeLinkInfo(writer, IFLA_LINKINFO, link.info);
    },
  };
}

/** Changes a link. A change of `info` needs RTM_NEWLINK, which without NLM_F_CREATE changes only (rtnl_newlink()). */
export function setLink(ref: LinkRef, change: LinkChange): Request {
  if (change.ifname !== undefined && 'ifname' in ref) throw new Error('a link is renamed by its ifindex');
  // do_setlink() brings the link up before it looks at IFLA_AF_SPEC: whether the link-local address is faster is a race.
  if (change.up === true && change.addrGenMode !== undefined) {
    throw new Error('addrGenMode is set in a message before the one that brings the link up');
  }
  return {
    type: change.info === undefined ? RTM_SETLINK : RTM_NEWLINK,
    payload(writer) {
      writeRef(writer, ref, upFlags(change.up));
      writeLinkAttributes(writer, change);
      if (change.addrGenMode !== undefined) writeAddrGenMode(writer, change.addrGenMode);
      if (change.info !== undefined) writeLinkInfo(writer, IFLA_LINKINFO, change.info);
    },
  };
}

export function delLink(ref: LinkRef): Request {
  return { type: RTM_DELLINK, payload: (writer) => writeRef(writer, ref, {}) };
}

/** Deletes every link of the group at once. Group 0 holds all links that were given none, so the kernel refuses it. */
export function delLinkGroup(group: number): Request {
  return {
    type: RTM_DELLINK,
    payload(writer) {
      writeIfinfomsg(writer, {});
      writer.attrU32(IFLA_GROUP, group);
    },
  };
}

/** Adds further names, up to 127 bytes each, by which every request finds the link as well. */
export function addAltnames(ref: LinkRef, names: readonly string[]): Request {
  return {
    type: RTM_NEWLINKPROP,
    flags: NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND,
    payload(writer) {
      writeRef(writer, ref, {});
      writeAltnames(writer, names);
    },
  };
}

export function delAltnames(ref: LinkRef, names: readonly string[]): Request {
  return {
    type: RTM_DELLINKPROP,
    payload(writer) {
      writeRef(writer, ref, {});
      writeAltnames(writer, names);
    },
  };
}

type Flags = { readonly flags?: number; readonly change?: number };

function upFlags(up: boolean | undefined): Flags {
  if (up === undefined) return {};
  return { flags: up ? IFF_UP : 0, change: IFF_UP };
}

function writeRef(writer: MessageWriter, ref: LinkRef, flags: Flags): void {
  if ('ifindex' in ref) {
    writeIfinfomsg(writer, { ifindex: ref.ifindex, ...flags });
    return;
  }
  writeIfinfomsg(writer, flags);
  const long = Buffer.byteLength(ref.ifname) >= IFNAMSIZ;
  writer.attrString(long ? IFLA_ALT_IFNAME : IFLA_IFNAME, ref.ifname);
}

/** A link as the kernel shows it. */
export type Link = Omit<LinkAttributes, 'netnsFd' | 'mac'> & {
  readonly ifindex: number;
  readonly ifname: string;
  /** ARPHRD_*, linux/if_arp.h: 1 Ethernet, 772 loopback. */
  readonly type: number;
  /** IFF_*, linux/if.h. */
  readonly flags: number;
  readonly up: boolean;
  /** Up, and the other side is there. */
  readonly lowerUp: boolean;
  /** The hardware address; an IP address of a tunnel is shown byte by byte as well. */
  readonly mac?: string;
  readonly broadcast?: string;
  readonly permanentMac?: string;
  /** IF_OPER_*, RFC 2863: 6 up, 2 down, 0 unknown. */
  readonly operstate?: number;
  readonly carrier?: boolean;
  readonly promiscuity?: number;
  readonly addrGenMode?: AddrGenMode;
  /** The root queueing discipline, `noqueue`. */
  readonly qdisc?: string;
  readonly altnames: readonly string[];
  readonly kind?: string;
  readonly info?: LinkInfo;
  readonly slaveKind?: string;
  readonly slaveData?: Buffer;
};

/** Reads the payload of an RTM_NEWLINK; undefined where it is too short to be one. */
export function parseLink(payload: Buffer): Link | undefined {
  if (payload.length < IFINFOMSG_LEN) return undefined;
  const attributes = attributeMap(payload, IFINFOMSG_LEN);
  const flags = payload.readUInt32LE(8);
  const carrier = readU8(attributes.get(IFLA_CARRIER));
  const linkinfo = attributes.get(IFLA_LINKINFO);
  const { ifname = '', ...common } = readLinkAttributes(attributes);
  return {
    ifindex: payload.readInt32LE(4),
    ifname,
    type: payload.readUInt16LE(2),
    flags,
    up: (flags & IFF_UP) !== 0,
    lowerUp: (flags & IFF_LOWER_UP) !== 0,
    ...common,
    ...defined<
      Pick<
        Link,
        'broadcast' | 'permanentMac' | 'operstate' | 'carrier' | 'promiscuity' | 'addrGenMode' | 'qdisc'
      >
    >({
      broadcast: readMac(attributes.get(IFLA_BROADCAST)),
      permanentMac: readMac(attributes.get(IFLA_PERM_ADDRESS)),
      operstate: readU8(attributes.get(IFLA_OPERSTATE)),
      carrier: carrier === undefined ? undefined : carrier === 1,
      promiscuity: readU32(attributes.get(IFLA_PROMISCUITY)),
      addrGenMode: readAddrGenMode(attributes.get(IFLA_AF_SPEC)),
      qdisc: readString(attributes.get(IFLA_QDISC)),
    }),
    altnames: readAltnames(attributes.get(IFLA_PROP_LIST)),
    ...(linkinfo === undefined ? {} : readLinkInfo(linkinfo)),
  };
}

/** Narrows a dump in the kernel. */
type LinkFilter = {
  /** Only the ports of this bridge, bond or vrf. */
  readonly master?: number;
};

/** All links of the transport's namespace, in the order of their indexes. */
export function getLinks(transport: Transport, filter: LinkFilter = {}): Link[] {
  const payloads = transport.dump({
    type: RTM_GETLINK,
    payload(writer) {
      writeIfinfomsg(writer, {});
      writer.attrU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
      if (filter.master !== undefined) writer.attrU32(IFLA_MASTER, filter.master);
    },
  });
  return payloads.map(parseLink).filter((link) => link !== undefined);
}

/** One link, or undefined where there is none of that name or index. */
export function getLink(transport: Transport, ref: LinkRef): Link | undefined {
  try {
    return parseLink(
      transport.get({
        type: RTM_GETLINK,
        payload(writer) {
          writeRef(writer, ref, {});
          writer.attrU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        },
      }),
    );
  } catch (error) {
    if (error instanceof RtnlError && error.errno === ENODEV) return undefined;
    throw error;
  }
}

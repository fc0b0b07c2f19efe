// The configuration of WireGuard links: keys, port and peers, over generic netlink. The link itself is made like any other.
// wg(8), linux/wireguard.h, drivers/net/wireguard/netlink.c. The netlink package's codec is not used: its command numbers are
// one too high, and it lacks the nested flag that the kernel wants.

import { addressOf, type IpAddress, type IpInterface, ipFromBytes, prefixLength } from '../base/ip.ts';
import { findGenlFamily, GENL_HDRLEN, type GenlFamily, genlRequest } from './genl.ts';
import { readIp } from './ip-bytes.ts';
import { defined } from './link-attributes.ts';
import {
  attributeMap,
  eachAttribute,
  type MessageWriter,
  NLA_F_NESTED,
  type Request,
  readBe16,
  readString,
  readU8,
  readU16,
  readU32,
  readU64,
} from './message.ts';
import { AF_INET, AF_INET6, familyOf } from './rtnetlink.ts';
import type { Transport } from './transport.ts';

const WG_CMD_GET_DEVICE = 0;
const WG_CMD_SET_DEVICE = 1;

const WGDEVICE_A_IFINDEX = 1;
const WGDEVICE_A_IFNAME = 2;
const WGDEVICE_A_PRIVATE_KEY = 3;
const WGDEVICE_A_PUBLIC_KEY = 4;
const WGDEVICE_A_FLAGS = 5;
const WGDEVICE_A_LISTEN_PORT = 6;
const WGDEVICE_A_FWMARK = 7;
const WGDEVICE_A_PEERS = 8;
const WGDEVICE_F_REPLACE_PEERS = 1;

const WGPEER_A_PUBLIC_KEY = 1;
const WGPEER_A_PRESHARED_KEY = 2;
const WGPEER_A_FLAGS = 3;
const WGPEER_A_ENDPOINT = 4;
const WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL = 5;
const WGPEER_A_LAST_HANDSHAKE_TIME = 6;
const WGPEER_A_RX_BYTES = 7;
const WGPEER_A_TX_BYTES = 8;
const WGPEER_A_ALLOWEDIPS = 9;
const WGPEER_F_REPLACE_ALLOWEDIPS = 2;

const WGALLOWEDIP_A_FAMILY = 1;
const WGALLOWEDIP_A_IPADDR = 2;
const WGALLOWEDIP_A_CIDR_MASK = 3;

const KEY_LEN = 32;
/** An attribute, and so the list of peers, ends at 64 KiB; a message has so many allowed addresses or peers at most. */
const ALLOWED_PER_MESSAGE = 600;
const PEERS_PER_MESSAGE = 100;

/** A key as wg(8) writes it: 32 bytes in base64. */
type WireguardKey = string;

type WireguardEndpoint = { readonly address: IpAddress; readonly port: number };

export type WireguardPeer = {
  readonly publicKey: WireguardKey;
  readonly presharedKey?: WireguardKey;
  readonly endpoint?: WireguardEndpoint;
  /** Seconds; 0 is off. */
  readonly persistentKeepalive?: number;
  readonly allowedIps: readonly IpInterface[];
};

/** The whole configuration of a link: peers that are not in it are removed. */
export type WireguardConfig = {
  readonly ifindex: number;
  readonly privateKey?: WireguardKey;
  readonly listenPort?: number;
  readonly fwmark?: number;
  readonly peers: readonly WireguardPeer[];
};

/** Generic netlink's number of WireGuard, or undefined where the kernel has none. */
export function findWireguard(transport: Transport): GenlFamily | undefined {
  return findGenlFamily(transport, 'wireguard');
}

/** A peer, or the part of it that goes into one message. */
type Piece = {
  readonly peer: WireguardPeer;
  readonly first: boolean;
  readonly allowed: readonly IpInterface[];
};

/** The requests, one or several, that give the link its configuration; send them in order. */
export function setWireguard(family: GenlFamily, config: WireguardConfig): Request[] {
  const groups = groupPieces(config.peers.flatMap(piecesOf));
  return groups.map((pieces, index) =>
    genlRequest(family, WG_CMD_SET_DEVICE, (writer) => {
      writer.attrU32(WGDEVICE_A_IFINDEX, config.ifindex);
      if (index === 0) writeDevice(writer, config);
      if (pieces.length > 0) writePeers(writer, pieces);
    }),
  );
}

function piecesOf(peer: WireguardPeer): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at === 0 || at < peer.allowedIps.length; at += ALLOWED_PER_MESSAGE) {
    pieces.push({ peer, first: at === 0, allowed: peer.allowedIps.slice(at, at + ALLOWED_PER_MESSAGE) });
  }
  return pieces;
}

/** At least one group, since the first message has the keys as well. */
function groupPieces(pieces: readonly Piece[]): Piece[][] {
  let group: Piece[] = [];
  const groups = [group];
  let allowed = 0;
  for (const piece of pieces) {
    allowed += piece.allowed.length;
    if (group.length > 0 && (allowed > ALLOWED_PER_MESSAGE || group.length === PEERS_PER_MESSAGE)) {
      group = [];
      groups.push(group);
      allowed = piece.allowed.length;
    }
    group.push(piece);
  }
  return groups;
}

function writeDevice(writer: MessageWriter, config: WireguardConfig): void {
  if (config.privateKey !== undefined) writer.attrBytes(WGDEVICE_A_PRIVATE_KEY, keyBytes(config.privateKey));
  writer.attrU32(WGDEVICE_A_FLAGS, WGDEVICE_F_REPLACE_PEERS);
  if (config.listenPort !== undefined) writer.attrU16(WGDEVICE_A_LISTEN_PORT, config.listenPort);
  if (config.fwmark !== undefined) writer.attrU32(WGDEVICE_A_FWMARK, config.fwmark);
}

function keyBytes(key: WireguardKey): Buffer {
  const bytes = Buffer.from(key, 'base64');
  if (bytes.length !== KEY_LEN) throw new Error('a WireGuard key is not 32 bytes in base64');
  return bytes;
}

function writePeers(writer: MessageWriter, pieces: readonly Piece[]): void {
  const list = writer.nest(WGDEVICE_A_PEERS | NLA_F_NESTED);
  for (const { peer, first, allowed } of pieces) {
    const entry = writer.nest(NLA_F_NESTED);
    writer.attrBytes(WGPEER_A_PUBLIC_KEY, keyBytes(peer.publicKey));
    if (first) writePeer(writer, peer);
    if (allowed.length > 0) writeAllowed(writer, allowed);
    writer.endNest(entry);
  }
  writer.endNest(list);
}

function writePeer(writer: MessageWriter, peer: WireguardPeer): void {
  if (peer.presharedKey !== undefined) writer.attrBytes(WGPEER_A_PRESHARED_KEY, keyBytes(peer.presharedKey));
  writer.attrU32(WGPEER_A_FLAGS, WGPEER_F_REPLACE_ALLOWEDIPS);
  if (peer.endpoint !== undefined) writeEndpoint(writer, peer.endpoint);
  if (peer.persistentKeepalive !== undefined) {
    writer.attrU16(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, peer.persistentKeepalive);
  }
}

/** struct sockaddr_in or struct sockaddr_in6 */
function writeEndpoint(writer: MessageWriter, { address, port }: WireguardEndpoint): void {
  const family = familyOf(address);
  const start = writer.nest(WGPEER_A_ENDPOINT);
  writer.u16(family);
  writer.be16(port);
  if (family === AF_INET6) writer.u32(0);
  writer.ip(address);
  writer.zeros(family === AF_INET6 ? 4 : 8);
  writer.endNest(start);
}

function writeAllowed(writer: MessageWriter, allowed: readonly IpInterface[]): void {
  const list = writer.nest(WGPEER_A_ALLOWEDIPS | NLA_F_NESTED);
  for (const ip of allowed) {
    const entry = writer.nest(NLA_F_NESTED);
    writer.attrU16(WGALLOWEDIP_A_FAMILY, familyOf(ip));
    writer.attrIp(WGALLOWEDIP_A_IPADDR, addressOf(ip));
    writer.attrU8(WGALLOWEDIP_A_CIDR_MASK, prefixLength(ip));
    writer.endNest(entry);
  }
  writer.endNest(list);
}

/** A peer as the kernel shows it. */
type ReadWireguardPeer = WireguardPeer & {
  /** Seconds since 1970 of the last handshake; 0 is never. */
  readonly lastHandshake: number;
  readonly rxBytes: bigint;
  readonly txBytes: bigint;
};

/** A link as the kernel shows it. */
export type WireguardDevice = {
  readonly ifindex: number;
  readonly ifname: string;
  readonly privateKey?: WireguardKey;
  readonly publicKey?: WireguardKey;
  readonly listenPort: number;
  readonly fwmark: number;
  readonly peers: readonly ReadWireguardPeer[];
};

/** The configuration and the counters of a WireGuard link. */
export function getWireguard(transport: Transport, family: GenlFamily, ifindex: number): WireguardDevice {
  const payloads = transport.dump(
    genlRequest(family, WG_CMD_GET_DEVICE, (writer) => writer.attrU32(WGDEVICE_A_IFINDEX, ifindex)),
  );
  const device = parseWireguard(payloads);
  if (device === undefined) throw new Error('the kernel answered WG_CMD_GET_DEVICE with no device');
  return device;
}

/** Puts the messages of a dump together: what does not fit into one goes on in the next, even in the middle of a peer. */
export function parseWireguard(payloads: readonly Buffer[]): WireguardDevice | undefined {
  const [first] = payloads;
  if (first === undefined) return undefined;
  const attributes = attributeMap(first, GENL_HDRLEN);
  return {
    ifindex: readU32(attributes.get(WGDEVICE_A_IFINDEX)) ?? 0,
    ifname: readString(attributes.get(WGDEVICE_A_IFNAME)) ?? '',
    ...defined<Pick<WireguardDevice, 'privateKey' | 'publicKey'>>({
      privateKey: readKey(attributes.get(WGDEVICE_A_PRIVATE_KEY)),
      publicKey: readKey(attributes.get(WGDEVICE_A_PUBLIC_KEY)),
    }),
    listenPort: readU16(attributes.get(WGDEVICE_A_LISTEN_PORT)) ?? 0,
    fwmark: readU32(attributes.get(WGDEVICE_A_FWMARK)) ?? 0,
    peers: readPeers(payloads),
  };
}

function readPeers(payloads: readonly Buffer[]): ReadWireguardPeer[] {
  const peers: ReadWireguardPeer[] = [];
  for (const payload of payloads) {
    const list = attributeMap(payload, GENL_HDRLEN).get(WGDEVICE_A_PEERS);
    if (list === undefined) continue;
    eachAttribute(list, 0, (_, entry) => {
      const peer = readPeer(entry);
      const last = peers.at(-1);
      if (peer === undefined) return;
      if (last?.publicKey === peer.publicKey) {
        peers[peers.length - 1] = { ...last, allowedIps: [...last.allowedIps, ...peer.allowedIps] };
      } else {
        peers.push(peer);
      }
    });
  }
  return peers;
}

/** The key in base64; all zeros is none. */
function readKey(value: Buffer | undefined): WireguardKey | undefined {
  if (value === undefined || value.length !== KEY_LEN || value.every((byte) => byte === 0)) return undefined;
  return value.toString('base64');
}

function readPeer(entry: Buffer): ReadWireguardPeer | undefined {
  const attributes = attributeMap(entry);
  const publicKey = readKey(attributes.get(WGPEER_A_PUBLIC_KEY));
  if (publicKey === undefined) return undefined;
  const allowed = attributes.get(WGPEER_A_ALLOWEDIPS);
  return {
    publicKey,
    ...defined<Pick<WireguardPeer, 'presharedKey' | 'endpoint' | 'persistentKeepalive'>>({
      presharedKey: readKey(attributes.get(WGPEER_A_PRESHARED_KEY)),
      endpoint: readEndpoint(attributes.get(WGPEER_A_ENDPOINT)),
      persistentKeepalive: readU16(attributes.get(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL)),
    }),
    allowedIps: allowed === undefined ? [] : readAllowed(allowed),
    lastHandshake: Number(readU64(attributes.get(WGPEER_A_LAST_HANDSHAKE_TIME)) ?? 0n),
    rxBytes: readU64(attributes.get(WGPEER_A_RX_BYTES)) ?? 0n,
    txBytes: readU64(attributes.get(WGPEER_A_TX_BYTES)) ?? 0n,
  };
}

function readEndpoint(value: Buffer | undefined): WireguardEndpoint | undefined {
  const family = readU16(value);
  const port = readBe16(value?.subarray(2));
  if (value === undefined || port === undefined) return undefined;
  const bytes = family === AF_INET6 ? value.subarray(8, 24) : value.subarray(4, 8);
  const address = readIp(bytes);
  return address === undefined || (family !== AF_INET && family !== AF_INET6) ? undefined : { address, port };
}

function readAllowed(list: Buffer): IpInterface[] {
  const found: IpInterface[] = [];
  eachAttribute(list, 0, (_, entry) => {
    const attributes = attributeMap(entry);
    const bytes = attributes.get(WGALLOWEDIP_A_IPADDR);
    const mask = readU8(attributes.get(WGALLOWEDIP_A_CIDR_MASK));
    if (bytes === undefined || mask === undefined || (bytes.length !== 4 && bytes.length !== 16)) return;
    found.push(`${ipFromBytes(bytes)}/${mask}` as IpInterface);
  });
  return found;
}

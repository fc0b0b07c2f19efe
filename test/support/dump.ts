// The state of one namespace as lines of text that two labs made in different ways have in common: what was asked for, and not
// what the kernel chose by itself (random MAC addresses, indexes, handles) or what time changes. Read with iproute2 and nft.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withoutVolatile } from './fingerprint.ts';

/** A name under /run/netns, or null for the machine's own namespace. */
export type Where = string | null;
export type Dump = ReadonlyMap<string, readonly string[]>;

// biome-ignore lint/suspicious/noExplicitAny: what `ip -j` prints differs with every kind of object
type Json = any;

function text(file: string, args: readonly string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', maxBuffer: 256 << 20 }).trim();
}

function parse(output: string): Json[] {
  return output === '' ? [] : JSON.parse(output);
}

function ip(where: Where, ...args: readonly string[]): Json[] {
  return parse(text('ip', [...(where === null ? [] : ['-n', where]), '-j', ...args]));
}

function inside(where: Where, file: string, ...args: readonly string[]): string {
  return where === null ? text(file, args) : text('ip', ['netns', 'exec', where, file, ...args]);
}

/**
 * All places of a lab at once, because the far end of a wire can be told only from both sides. Keys are `PLACE SECTION`.
 */
export function dumpPlaces(places: readonly Where[]): Dump {
  const links = new Map(places.map((where) => [where, ip(where, '-d', 'link', 'show')]));
  // A macvlan's address is also in the filter of the device it stands on, in another namespace.
  const macs = places.flatMap((where) => randomMacs(where, links.get(where) ?? []));
  const hide = hider(new Set(macs));
  const sections = places.flatMap((where) => {
    const name = where ?? 'host';
    return Object.entries(dumpPlace(where, links, hide)).map(([section, lines]): [string, string[]] => [
      `${name} ${section}`,
      lines,
    ]);
  });
  return new Map(sections);
}

type Links = ReadonlyMap<Where, Json[]>;
type Hide = (line: string) => string;

function dumpPlace(where: Where, all: Links, hide: Hide): Record<string, string[]> {
  const links = all.get(where) ?? [];
  const lines = (entries: readonly Json[]): string[] =>
    entries.map((entry) => hide(JSON.stringify(withoutVolatile(entry)))).sort();
  const peers = peerNames(where, all);
  return {
    links: lines(links.map((link) => ({ ...plainLink(link), peer: peers(link) }))),
    addresses: lines(ip(where, '-d', 'addr', 'show').flatMap(plainAddresses)),
    routes: lines([
      ...ip(where, '-d', '-4', 'route', 'show', 'table', 'all'),
      ...ip(where, '-d', '-6', 'route', 'show', 'table', 'all').filter((route) => !isOwnLinkLocal(route)),
    ]),
    rules: lines([...ip(where, '-d', '-4', 'rule', 'show'), ...ip(where, '-d', '-6', 'rule', 'show')]),
    neighbours: lines([
      ...ip(where, 'neigh', 'show', 'nud', 'permanent'),
      ...ip(where, 'neigh', 'show', 'proxy'),
    ]),
    // A bridge and its ports have one entry for an address they share, and which of them has it depends on the addresses.
    fdb: lines(fdb(where)).filter((line) => !line.includes('"mac":"(random)"')),
    vlans: lines(parse(inside(where, 'bridge', '-j', 'vlan', 'show'))),
    qdiscs: lines(parse(inside(where, 'tc', '-j', 'qdisc', 'show'))),
    nft: lines(JSON.parse(inside(where, 'nft', '-j', 'list', 'ruleset')).nftables).filter(
      (line) => line !== '{}',
    ),
    wireguard: links
      .filter(({ linkinfo }) => linkinfo?.info_kind === 'wireguard')
      .flatMap(({ ifname }) => wireguard(where, ifname)),
    sysctls: sysctls(where),
    etc: where === null ? [] : etcFiles(where),
  };
}

/** The port that everybody's files have (wg(8)); any other one is what a kernel chose, here or at a peer that has called. */
const WIREGUARD_PORT = '51820';

/** The keys, the peers and what may come from them, which no link shows. */
function wireguard(where: Where, ifname: string): string[] {
  const lines = inside(where, 'wg', 'showconf', ifname).split('\n');
  const asked = lines.filter((line) => {
    const port = /^(?:ListenPort = |Endpoint = .*:)(\d+)$/.exec(line)?.[1];
    return port === undefined || port === WIREGUARD_PORT;
  });
  return asked.map((line) => `${ifname} ${line}`);
}

/** The addresses that the kernel rolled for a device: addr_assign_type 1 (NET_ADDR_RANDOM), or 2 (stolen from a port). */
function randomMacs(where: Where, links: readonly Json[]): string[] {
  const script = 'cd /sys/class/net && grep -s . */addr_assign_type';
  const chosen = new Map(
    inside(where, 'sh', '-c', script)
      .split('\n')
      .map((line) => line.split(/\/addr_assign_type:/) as [string, string]),
  );
  const rolled = links.filter(({ ifname }) => ['1', '2'].includes(chosen.get(ifname) ?? ''));
  return rolled.map(({ address }) => address as string).filter((mac) => /^[0-9a-f:]{17}$/.test(mac));
}

/** Replaces random MAC addresses, and the IPv6 addresses that the kernel derives from them. */
function hider(macs: ReadonlySet<string>): Hide {
  const words = [...macs].flatMap((mac) => {
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac
      .split(':')
      .map((byte) => Number.parseInt(byte, 16));
    const group = (high: number, low: number): string => ((high << 8) | low).toString(16);
    // EUI-64 (RFC 4291, appendix A), and the multicast group of its last three bytes (RFC 4291, 2.7.1; RFC 2464, 7).
    const eui64 = [group(a ^ 2, b), group(c, 0xff), group(0xfe, d), group(e, f)].join(':');
    const solicited = `33:33:ff:${mac.split(':').slice(3).join(':')}`;
    return [mac, `fe80::${eui64}`, `ff02::1:ff${d.toString(16).padStart(2, '0')}:${group(e, f)}`, solicited];
  });
  return (line) => words.reduce((shown, word) => shown.replaceAll(word, '(random)'), line);
}

/** Bridges tell the state of STP and of their timers; carrier is what remains of the state that follows it with delay. */
const unsettled =
  /^(operstate|permaddr|perm_hwaddr|mii_status|link_failure_count|bridge_id|root_id|root_path_cost|root_port|designated_.*|topology_change.*|state|config_pending|bridge_fdb_n_learned|fdb_n_learned)$/;

function plainLink(link: Json): Json {
  const { link: _peer, link_netnsid: _nsid, flags, linkinfo, ...rest } = link;
  const kept = Object.fromEntries(Object.entries(rest).filter(([key]) => !unsettled.test(key)));
  const steady = (info: Json): Json =>
    info === undefined
      ? undefined
      : Object.fromEntries(Object.entries(info).filter(([key]) => !unsettled.test(key)));
  return {
    ...kept,
    flags: flags.filter((flag: string) => flag !== 'NO-CARRIER'),
    linkinfo:
      linkinfo === undefined
        ? undefined
        : {
            ...linkinfo,
            info_data: steady(linkinfo.info_data),
            info_slave_data: steady(linkinfo.info_slave_data),
          },
  };
}

/** Where the other end of a device is, or what it stands on: `NETNS:IFNAME`. */
function peerNames(where: Where, all: Links): (link: Json) => string | undefined {
  const ids = new Map<number, string>();
  for (const { nsid, name } of ip(where, 'netns', 'list-id')) if (name !== undefined) ids.set(nsid, name);
  return (link) => {
    if (link.link !== undefined) return `${where ?? 'host'}:${link.link}`;
    if (link.link_index === undefined) return undefined;
    // A namespace without a name is the machine's own: all of the lab's have one.
    const place = link.link_netnsid === undefined ? where : (ids.get(link.link_netnsid) ?? null);
    const peer = all.get(place)?.find(({ ifindex }) => ifindex === link.link_index);
    return `${place ?? 'host'}:${peer?.ifname ?? '?'}`;
  };
}

function plainAddresses({ ifname, addr_info }: Json): Json[] {
  return addr_info.map((info: Json) => {
    // Duplicate address detection of a link-local address takes a second.
    const { tentative: _tentative, dynamic: _dynamic, ...rest } = info;
    return { ifname, ...rest };
  });
}

/** The route to a link-local address of its own comes when duplicate address detection ends. */
function isOwnLinkLocal({ type, dst }: Json): boolean {
  return type === 'local' && dst.startsWith('fe80:');
}

/** Static entries. What a bridge learned, and what IGMP asks for, comes with traffic. */
function fdb(where: Where): Json[] {
  return parse(inside(where, 'bridge', '-j', 'fdb', 'show')).filter(
    ({ state, mac }) => (state === 'permanent' || state === 'static') && !mac.startsWith('33:33:ff:'),
  );
}

const volatileSysctl =
  /^\/proc\/sys\/net\/(netfilter\/nf_conntrack_count|ipv6\/conf\/[^/]*\/stable_secret|core\/netdev_rss_key)/;

function sysctls(where: Where): string[] {
  return inside(where, 'sh', '-c', 'grep -rs . /proc/sys/net; true')
    .split('\n')
    .filter((line) => !volatileSysctl.test(line))
    .sort();
}

/** What `ip netns exec` shows as files of /etc. */
function etcFiles(netns: string): string[] {
  const folder = `/etc/netns/${netns}`;
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => `${name}: ${JSON.stringify(readFileSync(join(folder, name), 'utf8'))}`);
  } catch {
    return [];
  }
}

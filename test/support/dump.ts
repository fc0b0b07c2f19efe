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

function parse(output: string): Json[] {
  return output === '' ? [] : JSON.parse(output);
}

const commands = {
  links: 'ip -j -d link show',
  nsids: 'ip -j netns list-id',
  assigned: 'cd /sys/class/net && grep -s . */addr_assign_type',
  addresses: 'ip -j -d addr show',
  routes4: 'ip -j -d -4 route show table all',
  routes6: 'ip -j -d -6 route show table all',
  rules4: 'ip -j -d -4 rule show',
  rules6: 'ip -j -d -6 rule show',
  neighbours: 'ip -j neigh show nud permanent',
  proxies: 'ip -j neigh show proxy',
  fdb: 'bridge -j fdb show',
  vlans: 'bridge -j vlan show',
  qdiscs: 'tc -j qdisc show',
  nft: 'nft -j list ruleset',
  sysctls: 'grep -rs . /proc/sys/net || true',
} as const;

/** What each command printed in one place. */
type Shown = Readonly<Record<keyof typeof commands, string>>;

function inside(where: Where, ...command: readonly string[]): string {
  const [file = '', ...args] = where === null ? command : ['ip', 'netns', 'exec', where, ...command];
  return execFileSync(file, args, { encoding: 'utf8', maxBuffer: 256 << 20 });
}

/** All commands in one shell: entering a namespace for each would take most of the time. */
function show(where: Where): Shown {
  const end = '----8<----';
  const script = Object.values(commands).map((command) => `(${command})\necho '${end}'`);
  const shell = ['sh', '-ec', script.join('\n')];
  const output = inside(where, ...shell).split(`${end}\n`);
  const entries = Object.keys(commands).map((name, i) => [name, (output[i] ?? '').trim()]);
  return Object.fromEntries(entries) as Shown;
}

type Links = ReadonlyMap<Where, Json[]>;
type Hide = (line: string) => string;

/**
 * All places of a lab at once, because the far end of a wire can be told only from both sides. Keys are `PLACE SECTION`.
 */
export function dumpPlaces(places: readonly Where[]): Dump {
  const all = new Map(places.map((where) => [where, show(where)]));
  const links: Links = new Map([...all].map(([where, shown]) => [where, parse(shown.links)]));
  // A macvlan's address is also in the filter of the device it stands on, in another namespace.
  const macs = [...all].flatMap(([where, shown]) => randomMacs(shown, links.get(where) ?? []));
  const hide = hider(new Set(macs));
  const sections = [...all].flatMap(([where, shown]) =>
    Object.entries(dumpPlace(where, shown, { links, hide })).map(([section, lines]): [string, string[]] => [
      `${where ?? 'host'} ${section}`,
      lines,
    ]),
  );
  return new Map(sections);
}

function dumpPlace(
  where: Where,
  shown: Shown,
  { links: all, hide }: { readonly links: Links; readonly hide: Hide },
): Record<string, string[]> {
  const links = all.get(where) ?? [];
  const lines = (entries: readonly Json[]): string[] =>
    entries.map((entry) => hide(JSON.stringify(withoutVolatile(entry)))).sort();
  const peers = peerNames(where, shown, all);
  const late = links.filter(hasSpanningTree).map(({ ifname }) => ifname);
  return {
    links: lines(links.map((link) => ({ ...plainLink(link), peer: peers(link) }))),
    addresses: lines(parse(shown.addresses).flatMap(plainAddresses)),
    routes: lines([
      ...parse(shown.routes4),
      ...parse(shown.routes6).filter(
        (route) => !comesByItself(route) && !(route.type === 'multicast' && late.includes(route.dev)),
      ),
    ]),
    rules: lines([...parse(shown.rules4), ...parse(shown.rules6)]),
    neighbours: lines([...parse(shown.neighbours), ...parse(shown.proxies)]),
    // A bridge and its ports have one entry for an address they share, and which of them has it depends on the addresses.
    fdb: lines(fdb(shown)).filter((line) => !line.includes('"mac":"(random)"')),
    vlans: lines(parse(shown.vlans)),
    qdiscs: lines(parse(shown.qdiscs)),
    nft: lines(JSON.parse(shown.nft).nftables).filter((line) => line !== '{}'),
    wireguard: links
      .filter(({ linkinfo }) => linkinfo?.info_kind === 'wireguard')
      .flatMap(({ ifname }) => wireguard(where, ifname)),
    sysctls: sysctls(shown),
    etc: where === null ? [] : etcFiles(where),
  };
}

/** The port that everybody's files have (wg(8)); any other one is what a kernel chose, here or at a peer that has called. */
const WIREGUARD_PORT = '51820';

/** The keys, the peers and what may come from them, which no link shows. */
function wireguard(where: Where, ifname: string): string[] {
  const lines = inside(where, 'wg', 'showconf', ifname).trim().split('\n');
  const asked = lines.filter((line) => {
    const port = /^(?:ListenPort = |Endpoint = .*:)(\d+)$/.exec(line)?.[1];
    return port === undefined || port === WIREGUARD_PORT;
  });
  return asked.map((line) => `${ifname} ${line}`);
}

/** The addresses that the kernel rolled for a device: addr_assign_type 1 (NET_ADDR_RANDOM), or 2 (stolen from a port). */
function randomMacs({ assigned }: Shown, links: readonly Json[]): string[] {
  const chosen = new Map(
    assigned.split('\n').map((line) => line.split(/\/addr_assign_type:/) as [string, string]),
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

/**
 * A bridge with STP has carrier, and with it the route for multicast, only when a port forwards, seconds later; then its ageing
 * time is for a while twice the forward delay (__br_set_topology_change() in net/bridge/br_stp.c).
 */
function hasSpanningTree({ linkinfo }: Json): boolean {
  return linkinfo?.info_kind === 'bridge' && linkinfo.info_data?.stp_state === 1;
}

function plainLink(link: Json): Json {
  const { link: _peer, link_netnsid: _nsid, flags, linkinfo, ...rest } = link;
  const kept = Object.fromEntries(Object.entries(rest).filter(([key]) => !unsettled.test(key)));
  const passing = [...(hasSpanningTree(link) ? ['LOWER_UP'] : []), 'NO-CARRIER'];
  const steady = (info: Json): Json =>
    info === undefined
      ? undefined
      : Object.fromEntries(Object.entries(info).filter(([key]) => !unsettled.test(key)));
  return {
    ...kept,
    flags: flags.filter((flag: string) => !passing.includes(flag)),
    linkinfo:
      linkinfo === undefined
        ? undefined
        : {
            ...linkinfo,
            info_data: {
              ...steady(linkinfo.info_data),
              ...(hasSpanningTree(link) ? { ageing_time: 0 } : {}),
            },
            info_slave_data: steady(linkinfo.info_slave_data),
          },
  };
}

/** Where the other end of a device is, or what it stands on: `NETNS:IFNAME`. */
function peerNames(where: Where, { nsids }: Shown, all: Links): (link: Json) => string | undefined {
  const ids = new Map<number, string>();
  for (const { nsid, name } of parse(nsids)) if (name !== undefined) ids.set(nsid, name);
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

/** The route to a link-local address of its own comes when duplicate address detection ends, that of multicast with the carrier. */
function comesByItself({ type, dst }: Json): boolean {
  return (type === 'local' && dst.startsWith('fe80:')) || (type === 'multicast' && dst === 'ff00::/8');
}

/** Static entries. What a bridge learned, and what IGMP asks for, comes with traffic. */
function fdb(shown: Shown): Json[] {
  return parse(shown.fdb).filter(
    ({ state, mac }) => (state === 'permanent' || state === 'static') && !mac.startsWith('33:33:ff:'),
  );
}

const volatileSysctl =
  /^\/proc\/sys\/net\/(netfilter\/nf_conntrack_count|ipv6\/conf\/[^/]*\/stable_secret|core\/netdev_rss_key)/;

function sysctls(shown: Shown): string[] {
  return shown.sysctls
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

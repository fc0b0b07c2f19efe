// One op as the command that does the same: the words of ip(8), bridge(8), tc(8), sysctl(8), nft(8) and wg(8) as Debian 12 has them
// (iproute2 6.1). `explain` runs them, error messages and -v quote them. Argument vectors only; quoting is shell.ts's.

import { ipFamily } from '../base/ip.ts';
import { assertNever } from '../base/result.ts';
import { rateText } from '../base/units.ts';
import { impairmentOptions } from '../model/impairment.ts';
import type { BridgeOptions, WireguardPeer } from '../model/interface.ts';
import type { Place } from '../model/lab.ts';
import type { Neighbour, Nexthop, Route, Rule } from '../model/route.ts';
import { printTable } from '../nfnl/text.ts';
import {
  type ChangeOp,
  HOST_PROTOCOL,
  type LinkAttributes,
  type LinkData,
  type Op,
  type Step,
} from './op.ts';

/** A command, and what it reads from its standard input. */
export type Command = {
  readonly argv: readonly string[];
  /** Of `argv` what is left without the tool and the namespace: object, verb, and what they are about. */
  readonly words: readonly string[];
  readonly stdin?: string;
};

type Words = (string | number)[];
type CreateLink = Extract<Op, { readonly kind: 'createLink' }>;
type SetLink = Extract<Op, { readonly kind: 'setLink' }>;
type SetPort = Extract<Op, { readonly kind: 'setPort' }>;

/** One queue each way, as nslab makes its wires; the default is one per processor. */
const ONE_QUEUE: Words = ['numtxqueues', 1, 'numrxqueues', 1];

/** The commands of an op, most often one. Files under /etc are explain.ts's own matter: for them there is none here. */
export function commandsOf(op: Step): Command[] {
  switch (op.kind) {
    case 'createNetns':
      return [command('ip', [], ['netns', 'add', op.netns])];
    case 'createLink':
      return createLink(op);
    case 'moveLink':
      return [command('ip', [], ['link', 'set', 'dev', op.device, ...netns(op.place), 'name', op.ifname])];
    case 'setLink':
      return [setLink(op)];
    case 'setPort':
      return [inPlace('bridge', op.place, ['link', 'set', 'dev', op.ifname, ...portWords(op)])];
    case 'addVlan': {
      const vid = op.from === op.to ? `${op.from}` : `${op.from}-${op.to}`;
      const flags = op.pvid ? ['pvid', 'untagged'] : [];
      return [inPlace('bridge', op.place, ['vlan', 'add', 'dev', op.ifname, 'vid', vid, ...flags])];
    }
    case 'delVlan':
      return [inPlace('bridge', op.place, ['vlan', 'del', 'dev', op.ifname, 'vid', op.vid])];
    case 'addAddress':
      return [inPlace('ip', op.place, ['addr', 'add', ...addressWords(op)])];
    case 'addRoute':
      return [route(op.place, 'add', op.route)];
    case 'addRule':
      return [rule(op.place, 'add', op.rule)];
    case 'addNeighbour':
      return [neighbour(op.place, 'add', op.neighbour)];
    case 'addFdb': {
      const words = ['fdb', 'append', '00:00:00:00:00:00', 'dev', op.ifname, 'dst', op.dst];
      return [inPlace('bridge', op.place, words)];
    }
    case 'setQdisc':
      return [inPlace('tc', op.place, qdiscWords(op))];
    case 'setWireguard':
      return [{ ...within(op.place, ['wg', 'setconf', op.ifname, '/dev/stdin']), stdin: wireguardConf(op) }];
    case 'setSysctl':
      return [within(op.place, ['sysctl', '-qw', `${op.key}=${op.value}`])];
    case 'addTable':
      return [{ ...within(op.place, ['nft', '-f', '-']), stdin: printTable(op.table) }];
    case 'writeEtc':
    case 'linkEtc':
    case 'startContainer':
    case 'awaitContainer':
      return [];
    case 'runCommand':
      return [within(op.place, op.argv)];
    default:
      return changeCommands(op);
  }
}

function changeCommands(op: ChangeOp): Command[] {
  switch (op.kind) {
    case 'delLinks':
      return op.ifnames.map((ifname) => inPlace('ip', op.place, ['link', 'del', 'dev', ifname]));
    case 'delAltname': {
      const words = ['link', 'property', 'del', 'dev', op.ifname, 'altname', op.altname];
      return [inPlace('ip', op.place, words)];
    }
    case 'delAddress': {
      const { ip, peer } = op.address;
      const words = peer === undefined ? [ip] : [ip.slice(0, ip.indexOf('/')), 'peer', peer];
      return [inPlace('ip', op.place, ['addr', 'del', ...words, 'dev', op.ifname])];
    }
    case 'delRoute':
      return [route(op.place, 'del', op.route)];
    case 'delRule':
      return [rule(op.place, 'del', op.rule)];
    case 'delNeighbour':
      return [deleteNeighbour(op.place, op.neighbour)];
    case 'delFdb': {
      const words = ['fdb', 'del', '00:00:00:00:00:00', 'dev', op.ifname, 'dst', op.dst];
      return [inPlace('bridge', op.place, words)];
    }
    case 'delTable':
      return [within(op.place, ['nft', 'delete', 'table', op.family, op.name])];
    case 'setBridge': {
      const words = ['link', 'set', 'dev', op.ifname, 'type', 'bridge', ...bridgeWords(op.options)];
      return [inPlace('ip', op.place, words)];
    }
    case 'dropNetns':
      return [command('ip', [], ['netns', 'del', op.netns])];
    case 'startAgain':
    case 'undo':
      return [];
    default:
      return assertNever(op);
  }
}

export function deleteRoute(place: Place, entry: Omit<Route, 'path'>): Command {
  return route(place, 'del', entry);
}

export function deleteRule(place: Place, entry: Omit<Rule, 'path'>): Command {
  return rule(place, 'del', entry);
}

export function deleteNeighbour(place: Place, entry: Omit<Neighbour, 'path'>): Command {
  const { ip, dev, proxy } = entry;
  return inPlace('ip', place, ['neigh', 'del', ...(proxy ? ['proxy'] : []), ip, 'dev', dev]);
}

/** The handles tell the two kinds apart (rtnl/qdisc.ts). */
function qdiscWords({ ifname, qdisc }: Extract<Op, { readonly kind: 'setQdisc' }>): Words {
  if (qdisc === null) return ['qdisc', 'del', 'dev', ifname, 'root'];
  const root: Words = ['qdisc', 'replace', 'dev', ifname, 'root', 'handle'];
  if (qdisc.kind === 'netem') return [...root, '1:', 'netem', ...impairmentOptions(qdisc).flat()];
  const { rate, burst, limit } = qdisc;
  return [...root, '2:', 'tbf', 'rate', rateText(rate), 'burst', `${burst}b`, 'limit', `${limit}b`];
}

function command(tool: string, options: Words, about: Words): Command {
  const words = about.map(String);
  return { argv: [tool, ...options.map(String), ...words], words };
}

/** ip(8), bridge(8) and tc(8) enter a namespace by themselves. */
function inPlace(tool: 'ip' | 'bridge' | 'tc', place: Place, words: Words): Command {
  return command(tool, place === null ? [] : ['-n', place], words);
}

function within(place: Place, argv: readonly string[]): Command {
  return { argv: place === null ? argv : ['ip', 'netns', 'exec', place, ...argv], words: argv };
}

/** The machine's own namespace has no name; bash's process is in it. explain.ts leaves this word unquoted. */
export const HOST_NETNS = '\0$$';

function netns(place: Place): Words {
  return ['netns', place ?? HOST_NETNS];
}

function createLink(op: CreateLink): Command[] {
  const { place, link } = op;
  const made = link.type === 'tun' || link.type === 'tap' ? createTun(op) : [makeLink(op)];
  if (link.altname === undefined) return made;
  return [...made, altname(place, link.ifname, link.altname)];
}

function altname(place: Place, ifname: string, name: string): Command {
  return inPlace('ip', place, ['link', 'property', 'add', 'dev', ifname, 'altname', name]);
}

function createTun({ place, link }: CreateLink): Command[] {
  if (link.type !== 'tun' && link.type !== 'tap') return [];
  const owner = [...option('user', link.uid), ...option('group', link.gid)];
  const made = inPlace('ip', place, ['tuntap', 'add', 'dev', link.ifname, 'mode', link.type, ...owner]);
  if (link.group === undefined) return [made];
  return [made, inPlace('ip', place, ['link', 'set', 'dev', link.ifname, 'group', link.group])];
}

function makeLink({ place, link }: CreateLink, name: string = link.ifname): Command {
  const from = birthplace({ place, link });
  const words: Words = ['link', 'add', 'name', name];
  if ('link' in link && link.link !== undefined && link.type !== 'vxlan')
    words.push('link', link.link.ifname);
  if (from !== place) words.push(...netns(place));
  if (link.type === 'veth') words.push(...ONE_QUEUE);
  words.push(...attributeWords(link), 'type', typeOf(link), ...dataWords(link));
  return inPlace('ip', from, words);
}

/** A device that stands on one of another namespace is made there and born in its own. */
function birthplace({ place, link }: Pick<CreateLink, 'place' | 'link'>): Place {
  return 'link' in link && link.link !== undefined ? link.link.place : place;
}

const PASSING_NAME = 'nslab-new';

/**
 * The commands for a script, which has to work on kernels older than nslab's own ways: before Linux 6.15 a new device's name must
 * be free also where the message is sent (__rtnl_newlink() looked it up there), so one that is born elsewhere is renamed there.
 */
export function scriptCommandsOf(op: Op): Command[] {
  if (op.kind !== 'createLink' || birthplace(op) === op.place) return commandsOf(op);
  const { place, link } = op;
  return [
    makeLink(op, PASSING_NAME),
    inPlace('ip', place, ['link', 'set', 'dev', PASSING_NAME, 'name', link.ifname]),
    ...(link.altname === undefined ? [] : [altname(place, link.ifname, link.altname)]),
  ];
}

function attributeWords(link: LinkAttributes): Words {
  return [
    ...option('address', link.mac),
    ...option('mtu', link.mtu),
    ...option('group', link.group),
    ...option('master', link.master),
    ...(link.up === true ? ['up'] : []),
  ];
}

function typeOf(link: LinkData): string {
  if ((link.type === 'gre' || link.type === 'gretap') && ipFamily(link.local) === 6) return `ip6${link.type}`;
  return link.type;
}

function dataWords(link: LinkData): Words {
  switch (link.type) {
    case 'veth': {
      const { peer } = link;
      return ['peer', 'name', peer.ifname, ...netns(peer.place), ...ONE_QUEUE, ...attributeWords(peer)];
    }
    case 'bridge':
      return bridgeWords(link);
    case 'vlan':
      return [...(link.protocol === '802.1Q' ? [] : ['protocol', link.protocol]), 'id', link.id];
    case 'vxlan':
      return [
        'id',
        link.id,
        ...option('local', link.local),
        ...option(isMulticast(link.remote) ? 'group' : 'remote', link.remote),
        ...option('dev', link.link?.ifname),
        'dstport',
        link.dstport,
        link.learning ? 'learning' : 'nolearning',
        ...option('ttl', link.ttl),
      ];
    case 'macvlan':
      return ['mode', link.mode];
    case 'ipvlan':
      return ['mode', link.mode, link.flag];
    case 'vrf':
      return ['table', link.table];
    case 'gre':
    case 'gretap':
      return [
        'local',
        link.local,
        'remote',
        link.remote,
        ...option('key', link.key),
        ...option('ttl', link.ttl),
      ];
    case 'bond':
      return ['mode', link.mode, ...option('miimon', link.miimon)];
    case 'dummy':
    case 'ifb':
    case 'wireguard':
    case 'tun':
    case 'tap':
      return [];
    default:
      return assertNever(link);
  }
}

/** ip-link(8) calls the same attribute `group` when it is a multicast address. */
function isMulticast(address: string | undefined): boolean {
  return address !== undefined && /^(22[4-9]|23[0-9])\.|^ff[0-9a-f]{2}:/.test(address);
}

/** The kernel has a bridge's times in hundredths of a second, and ip-link(8) takes them so. */
function bridgeWords(link: BridgeOptions): Words {
  const hundredths = (seconds: number | undefined): number | undefined =>
    seconds === undefined ? undefined : Math.round(seconds * 100);
  return [
    ...option('stp_state', flag(link.stp)),
    ...option('vlan_filtering', flag(link.vlan_filtering)),
    ...option('vlan_default_pvid', link.vlan_default_pvid),
    ...option('ageing_time', hundredths(link.ageing_time)),
    ...option('forward_delay', hundredths(link.forward_delay)),
    ...option('hello_time', hundredths(link.hello_time)),
    ...option('max_age', hundredths(link.max_age)),
    ...option('priority', link.priority),
    ...option('group_fwd_mask', link.group_fwd_mask),
    ...option('mcast_snooping', flag(link.mcast_snooping)),
  ];
}

function setLink(op: SetLink): Command {
  if (op.altname !== undefined) return altname(op.place, op.ifname, op.altname);
  const { master, up, ...attributes } = op;
  return inPlace('ip', op.place, [
    'link',
    'set',
    'dev',
    op.ifname,
    ...attributeWords(attributes),
    ...(master === null ? ['nomaster'] : option('master', master)),
    ...(up === undefined ? [] : [up ? 'up' : 'down']),
    ...option('addrgenmode', op.addrgenmode),
  ]);
}

function portWords(op: SetPort): Words {
  return [
    ...option('cost', op.cost),
    ...option('priority', op.priority),
    ...option('hairpin', onOff(op.hairpin)),
    ...option('isolated', onOff(op.isolated)),
    ...option('learning', onOff(op.learning)),
    ...option('guard', onOff(op.guard)),
  ];
}

function addressWords({ ifname, address }: Extract<Op, { readonly kind: 'addAddress' }>): Words {
  const { ip, peer, scope, nodad } = address;
  const words: Words = peer === undefined ? [ip] : [ip.slice(0, ip.indexOf('/')), 'peer', peer];
  words.push('dev', ifname, ...option('scope', scope));
  // Duplicate address detection is IPv6's alone.
  if (nodad && ipFamily(ip) === 6) words.push('nodad');
  return words;
}

function route(place: Place, verb: 'add' | 'del', entry: Omit<Route, 'path'>): Command {
  const { type, family, to, via, dev, src, metric, table, scope, onlink, mtu, nexthops } = entry;
  const protocol = place === null ? HOST_PROTOCOL : entry.protocol;
  return familyCommand(family, place, [
    'route',
    verb,
    ...(type === 'unicast' ? [] : [type]),
    to.endsWith('/0') ? 'default' : to,
    ...option('src', src),
    ...option('metric', metric),
    ...option('table', table),
    ...option('proto', protocol),
    ...option('scope', scope),
    ...option('mtu', mtu),
    ...nexthopWords(family, { ...(via && { via }), ...(dev && { dev }), ...(onlink && { onlink }) }),
    ...(nexthops ?? []).flatMap((hop) => ['nexthop', ...nexthopWords(family, hop)]),
  ]);
}

function nexthopWords(family: 4 | 6, { via, dev, weight, onlink }: Nexthop): Words {
  const foreign = via !== undefined && ipFamily(via) !== family;
  return [
    ...(via === undefined ? [] : ['via', ...(foreign ? ['inet6'] : []), via]),
    ...option('dev', dev),
    ...option('weight', weight),
    ...(onlink === true ? ['onlink'] : []),
  ];
}

function rule(place: Place, verb: 'add' | 'del', entry: Omit<Rule, 'path'>): Command {
  const { family, not, priority, from, to, iif, oif, fwmark, fwmask, ipproto, sport, dport } = entry;
  const mark = fwmark === undefined ? undefined : fwmask === undefined ? fwmark : `${fwmark}/${fwmask}`;
  return familyCommand(family, place, [
    'rule',
    verb,
    'priority',
    priority,
    ...(not === true ? ['not'] : []),
    ...option('from', from),
    ...option('to', to),
    ...option('iif', iif),
    ...option('oif', oif),
    ...option('fwmark', mark),
    ...option('ipproto', ipproto),
    ...option('sport', portRange(sport)),
    ...option('dport', portRange(dport)),
    ...(entry.action.kind === 'lookup' ? ['lookup', entry.action.table] : [entry.action.kind]),
    ...option('suppress_prefixlength', entry.suppress_prefixlength),
    ...option('protocol', place === null ? HOST_PROTOCOL : undefined),
  ]);
}

function portRange(range: Rule['sport']): string | undefined {
  if (range === undefined) return undefined;
  return range.from === range.to ? `${range.from}` : `${range.from}-${range.to}`;
}

function neighbour(place: Place, verb: 'add', { ip, dev, lladdr, proxy }: Omit<Neighbour, 'path'>): Command {
  const words: Words = proxy === true ? ['proxy', ip] : [ip, ...option('lladdr', lladdr), 'nud', 'permanent'];
  return inPlace('ip', place, ['neigh', verb, ...words, 'dev', dev]);
}

/** IPv4 is what ip(8) takes when it is not told. */
function familyCommand(family: 4 | 6, place: Place, words: Words): Command {
  return command('ip', [...(family === 6 ? ['-6'] : []), ...(place === null ? [] : ['-n', place])], words);
}

/** wg(8) "CONFIGURATION FILE FORMAT". */
function wireguardConf(op: Extract<Op, { readonly kind: 'setWireguard' }>): string {
  const lines = ['[Interface]', `PrivateKey = ${op.private_key}`];
  if (op.listen_port !== undefined) lines.push(`ListenPort = ${op.listen_port}`);
  if (op.fwmark !== undefined) lines.push(`FwMark = ${op.fwmark}`);
  return [...lines, ...op.peers.flatMap(wireguardPeer)].map((line) => `${line}\n`).join('');
}

function wireguardPeer(peer: WireguardPeer): string[] {
  const lines = ['', '[Peer]', `PublicKey = ${peer.public_key}`];
  if (peer.preshared_key !== undefined) lines.push(`PresharedKey = ${peer.preshared_key}`);
  if (peer.allowed_ips.length > 0) lines.push(`AllowedIPs = ${peer.allowed_ips.join(', ')}`);
  if (peer.endpoint !== undefined) {
    const { address, port } = peer.endpoint;
    lines.push(`Endpoint = ${ipFamily(address) === 6 ? `[${address}]` : address}:${port}`);
  }
  if (peer.persistent_keepalive !== undefined)
    lines.push(`PersistentKeepalive = ${peer.persistent_keepalive}`);
  return lines;
}

function option(word: string, value: string | number | undefined): Words {
  return value === undefined ? [] : [word, value];
}

function flag(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function onOff(value: boolean | undefined): string | undefined {
  return value === undefined ? undefined : value ? 'on' : 'off';
}

// NAT and firewall of a node: short texts to addresses, ranges and ports, families told from them. nft(8) is the source of
// the words; plan/ makes the table.

import { type IpAddress, type IpFamily, type IpPrefix, ipFamily, ipToBigInt } from '../base/ip.ts';
import { didYouMean } from '../base/suggest.ts';
import type {
  AddressRange,
  CtState,
  Firewall,
  FirewallChain,
  FirewallRule,
  NatRule,
  NatTarget,
  PortRange,
} from '../model/filter.ts';
import type { DraftNode, Lowering } from './draft.ts';
import { findInterface } from './draft.ts';
import { given } from './given.ts';
import { type Path, pathText } from './problems.ts';
import type { FirewallRuleFile, NatRuleFile } from './schema-filter.ts';
import {
  members,
  quote,
  readAddress,
  readAddressRange,
  readFamily,
  readPortRange,
  readPrefix,
} from './values.ts';

type Spot = { readonly lab: Lowering; readonly node: DraftNode; readonly path: Path };

/**
 * The NAT rules of the node. One that fits both families comes out once for each; masquerade has a word for both.
 */
export function lowerNat(lab: Lowering, node: DraftNode): NatRule[] {
  return (node.file.nat ?? []).flatMap((file, index) =>
    lowerNatRule({ lab, node, path: [...node.path, 'nat', index] }, file),
  );
}

function lowerNatRule(spot: Spot, file: NatRuleFile): NatRule[] {
  const kinds = Object.keys(file);
  if (kinds.length !== 1) {
    const message =
      kinds.length === 0 ? 'the entry is empty' : `an entry is one rule, and here are ${kinds.join(' and ')}`;
    const hint = 'write one of masquerade, snat, dnat per list entry';
    spot.lab.report.fail(spot.path, 'NAT_INVALID', message, hint);
    return [];
  }
  const inner = (kind: string): Spot => ({ ...spot, path: [...spot.path, kind] });
  if (file.masquerade !== undefined) return lowerMasquerade(inner('masquerade'), file.masquerade);
  if (file.snat !== undefined) return lowerSnat(inner('snat'), file.snat);
  return file.dnat === undefined ? [] : lowerDnat(inner('dnat'), file.dnat);
}

function at(spot: Spot, key: string): { report: Lowering['report']; path: Path } {
  return { report: spot.lab.report, path: [...spot.path, key] };
}

/** The kernel's name of an interface. A pattern (`eth*`) and an interface that the rules may still refuse stay as they are. */
function ifname(spot: Spot, name: string): string {
  return findInterface(spot.node, name)?.ifname ?? name;
}

function lowerMasquerade(spot: Spot, file: NonNullable<NatRuleFile['masquerade']>): NatRule[] {
  const source = file.source === undefined ? undefined : readPrefix(file.source, at(spot, 'source'));
  if (file.source !== undefined && source === undefined) return [];
  const family = agreedFamily(spot, { said: file.family, from: [source] });
  if (family === 'conflict') return [];
  return [
    {
      kind: 'masquerade',
      ...given({ family }),
      out: ifname(spot, file.out),
      ...given({ source }),
      path: pathText(spot.path),
    },
  ];
}

function lowerSnat(spot: Spot, file: NonNullable<NatRuleFile['snat']>): NatRule[] {
  const source = file.source === undefined ? undefined : readPrefix(file.source, at(spot, 'source'));
  const to = readTarget(file.to, at(spot, 'to'));
  if (to === undefined || (file.source !== undefined && source === undefined)) return [];
  const said = agreedFamily(spot, { said: file.family, from: [source, to.address?.from] });
  if (said === 'conflict') return [];
  const rule = {
    kind: 'snat',
    out: ifname(spot, file.out),
    ...given({ source }),
    to,
    path: pathText(spot.path),
  } as const;
  return perFamily(said).map((family) => ({ ...rule, family }));
}

function lowerDnat(spot: Spot, file: NonNullable<NatRuleFile['dnat']>): NatRule[] {
  const destination =
    file.destination === undefined ? undefined : readPrefix(file.destination, at(spot, 'destination'));
  const port = file.port === undefined ? undefined : readPortRange(file.port, at(spot, 'port'));
  const to = readTarget(file.to, at(spot, 'to'));
  const bad = (file.destination !== undefined && !destination) || (file.port !== undefined && !port);
  if (to === undefined || bad) return [];
  const said = agreedFamily(spot, { said: file.family, from: [destination, to.address?.from] });
  if (said === 'conflict') return [];
  const input = file.in === undefined ? undefined : ifname(spot, file.in);
  const rule = {
    kind: 'dnat',
    ...given({ in: input, destination, proto: file.proto, port }),
    to,
    path: pathText(spot.path),
  } as const;
  return perFamily(said).map((family) => ({ ...rule, family }));
}

function perFamily(family: IpFamily | undefined): readonly IpFamily[] {
  return family === undefined ? [4, 6] : [family];
}

type Clues = {
  readonly said: string | number | undefined;
  readonly from: readonly (IpPrefix | IpAddress | undefined)[];
};

function agreedFamily(spot: Spot, { said, from }: Clues): IpFamily | undefined | 'conflict' {
  const families = new Set(from.flatMap((ip) => (ip === undefined ? [] : [ipFamily(ip)])));
  const word = readFamily(said);
  if (word !== undefined) families.add(word);
  if (families.size < 2) return [...families][0];
  spot.lab.report.fail(
    spot.path,
    'NAT_INVALID',
    'the addresses of the rule are of different families',
    'write one rule for each family',
  );
  return 'conflict';
}

/** `10.1.1.10`, `10.1.1.10:80`, `[2001:db8::1]:80`, `10.0.0.1-10.0.0.9:8000-8010`, `:80`; a number alone is a port. */
function readTarget(
  value: string | number,
  { report, path }: { report: Lowering['report']; path: Path },
): NatTarget | undefined {
  const { address: text, port: portText } = splitTarget(String(value).trim());
  const address = text === '' ? undefined : readAddressRange(text, { report, path });
  const port = portText === undefined ? undefined : readPortRange(portText, { report, path });
  if ((text !== '' && address === undefined) || (portText !== undefined && port === undefined))
    return undefined;
  if (address === undefined && port === undefined) {
    return report.fail(
      path,
      'NAT_INVALID',
      `${quote(value)} is neither an address nor a port`,
      'as 10.1.1.10:80',
    );
  }
  if (address?.to !== undefined && ipToBigInt(address.to) < ipToBigInt(address.from)) {
    return report.fail(path, 'NAT_INVALID', `the range ${quote(value)} ends before it begins`);
  }
  return given({ address, port });
}

function splitTarget(text: string): { address: string; port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?:-\[([^\]]*)\])?(?::(.*))?$/.exec(text);
  if (bracketed !== null) {
    const [, from, to, port] = bracketed;
    return { address: to === undefined ? (from ?? '') : `${from}-${to}`, port };
  }
  if (/^[0-9]+(-[0-9]+)?$/.test(text)) return { address: '', port: text };
  const colons = text.split(':').length - 1;
  // An IPv6 address without brackets has two colons or more, and then no port.
  if (colons !== 1) return { address: text, port: undefined };
  const colon = text.indexOf(':');
  return { address: text.slice(0, colon), port: text.slice(colon + 1) };
}

/** The packet filter of the node. */
export function lowerFirewall(lab: Lowering, node: DraftNode): Firewall | undefined {
  const file = node.file.firewall;
  if (file === undefined) return undefined;
  const chain = (name: 'input' | 'forward' | 'output'): FirewallChain | undefined => {
    const from = file[name];
    if (from === undefined) return undefined;
    const path = [...node.path, 'firewall', name];
    const rules = (from.rules ?? []).flatMap(
      (rule, index) => lowerFirewallRule({ lab, node, path: [...path, 'rules', index] }, rule) ?? [],
    );
    return { policy: from.policy ?? 'accept', rules, path: pathText(path) };
  };
  return given({ input: chain('input'), forward: chain('forward'), output: chain('output') });
}

const actions = ['accept', 'drop', 'reject'] as const;

function lowerFirewallRule(spot: Spot, file: FirewallRuleFile): FirewallRule | undefined {
  if (file.action === undefined) {
    const only = file.counter === true || file.log !== undefined;
    const hint = only
      ? 'a rule that only counts or logs cannot be written yet'
      : `one of ${actions.join(', ')}`;
    return spot.lab.report.fail(spot.path, 'MISSING_KEY', 'the rule has no `action`', hint);
  }
  return {
    ...given({
      in: file.in === undefined ? undefined : ifname(spot, file.in),
      out: file.out === undefined ? undefined : ifname(spot, file.out),
      source: readAddresses(spot, file, ['source', 'saddr']),
      destination: readAddresses(spot, file, ['destination', 'daddr']),
      proto: readProto(spot, file.proto),
      sport: readPorts(spot, file, ['sport', 'sport']),
      port: readPorts(spot, file, ['port', 'dport']),
      icmp_type: file.icmp_type,
      ct: readStates(spot, file.ct),
    }),
    counter: file.counter ?? false,
    ...given({ log: file.log === true ? '' : file.log === false ? undefined : file.log }),
    action: file.action,
    ...given({ comment: file.comment }),
    path: pathText(spot.path),
  };
}

type Synonyms<K extends keyof FirewallRuleFile> = readonly [K, K];

/** The value under either of two words for the same, with its path. */
function either<K extends keyof FirewallRuleFile>(
  spot: Spot,
  file: FirewallRuleFile,
  [ours, nft]: Synonyms<K>,
): { value: FirewallRuleFile[K]; path: Path } | undefined {
  if (ours !== nft && file[ours] !== undefined && file[nft] !== undefined) {
    spot.lab.report.fail(
      [...spot.path, nft],
      'FIREWALL_INVALID',
      `\`${nft}\` is another word for \`${ours}\`; one is enough`,
    );
  }
  const key = file[ours] === undefined ? nft : ours;
  return file[key] === undefined ? undefined : { value: file[key], path: [...spot.path, key] };
}

function readAddresses(
  spot: Spot,
  file: FirewallRuleFile,
  keys: Synonyms<'source' | 'saddr'> | Synonyms<'destination' | 'daddr'>,
): (IpPrefix | AddressRange)[] | undefined {
  const found = either(spot, file, keys as Synonyms<'source'>);
  if (found === undefined) return undefined;
  return members<string>(found.value, found.path).flatMap(({ value, path }) => {
    const place = { report: spot.lab.report, path };
    // A subnet has no dash; readAddress says what is wrong with a text that is none of the three.
    if (value.includes('-')) return readAddressRange(value, place) ?? [];
    if (value.includes('/')) return readPrefix(value, place) ?? [];
    const address = readAddress(value, place);
    return address === undefined ? [] : [`${address}/${ipFamily(address) === 4 ? 32 : 128}` as IpPrefix];
  });
}

function readPorts(
  spot: Spot,
  file: FirewallRuleFile,
  keys: Synonyms<'port' | 'dport'> | Synonyms<'sport'>,
): PortRange[] | undefined {
  const found = either(spot, file, keys as Synonyms<'port'>);
  if (found === undefined) return undefined;
  return members<string | number>(found.value, found.path).flatMap(({ value, path }) =>
    String(value)
      .split(',')
      .flatMap((part) => readPortRange(part, { report: spot.lab.report, path }) ?? []),
  );
}

const protoWords = ['tcp', 'udp', 'icmp', 'icmpv6'] as const;
const otherProtos: Readonly<Record<string, number>> = {
  igmp: 2,
  gre: 47,
  esp: 50,
  ah: 51,
  ospf: 89,
  sctp: 132,
};

function readProto(spot: Spot, value: string | number | undefined): FirewallRule['proto'] {
  if (value === undefined) return undefined;
  const text = value === 'ipv6-icmp' ? 'icmpv6' : value;
  const word = protoWords.find((known) => known === text);
  if (word !== undefined) return word;
  if (Object.hasOwn(otherProtos, text)) return otherProtos[text];
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= 255) return number;
  const hint = didYouMean(String(value), [...protoWords, ...Object.keys(otherProtos)]);
  return spot.lab.report.fail(
    [...spot.path, 'proto'],
    'FIREWALL_INVALID',
    `${quote(value)} is not an IP protocol`,
    hint,
  );
}

const states: readonly CtState[] = ['new', 'established', 'related', 'invalid', 'untracked'];

function readStates(spot: Spot, value: FirewallRuleFile['ct']): CtState[] | undefined {
  if (value === undefined) return undefined;
  return members<string>(value, [...spot.path, 'ct']).flatMap(({ value: text, path }) =>
    text.split(',').flatMap((part) => {
      const state = states.find((known) => known === part.trim());
      if (state !== undefined) return state;
      const hint = didYouMean(part.trim(), states) ?? `one of ${states.join(', ')}`;
      return (
        spot.lab.report.fail(
          path,
          'FIREWALL_INVALID',
          `${quote(part.trim())} is not a state of a connection`,
          hint,
        ) ?? []
      );
    }),
  );
}

// NAT and firewall of the model as the file has them: the way back of lower-filter.ts.

import { isDeepStrictEqual } from 'node:util';
import type {
  AddressRange,
  Firewall,
  FirewallChain,
  FirewallRule,
  NatRule,
  NatTarget,
  PortRange,
} from '../model/filter.ts';
import { given } from './given.ts';
import { type Keys, withoutFullLength } from './raise-interface.ts';

type Name = (ifname: string) => string;

/** The entries of `nat:`. Two rules that differ in nothing but their family are one entry without a word about it. */
export function natEntries(rules: readonly NatRule[], name: Name): Keys[] {
  const entries: Keys[] = [];
  for (let i = 0; i < rules.length; i++) {
    const [rule, next] = [rules[i], rules[i + 1]];
    if (rule === undefined) continue;
    const both = next !== undefined && isForBoth(rule, next);
    entries.push(natEntry(rule, name, both));
    if (both) i++;
  }
  return entries;
}

function isForBoth(rule: NatRule, next: NatRule): boolean {
  if (rule.kind === 'masquerade' || rule.family !== 4 || next.family !== 6 || isTold(rule)) return false;
  const bare = ({ family: _family, path: _path, ...rest }: NatRule) => rest;
  return isDeepStrictEqual(bare(rule), bare(next));
}

/** True where an address in the rule tells its family. */
function isTold(rule: NatRule): boolean {
  if (rule.kind === 'masquerade') return rule.source !== undefined;
  if (rule.to.address !== undefined) return true;
  return (rule.kind === 'snat' ? rule.source : rule.destination) !== undefined;
}

function natEntry(rule: NatRule, name: Name, both: boolean): Keys {
  const family = both || isTold(rule) ? undefined : rule.family;
  switch (rule.kind) {
    case 'masquerade':
      return { masquerade: given({ out: name(rule.out), source: rule.source, family }) };
    case 'snat': {
      const { out, source, to } = rule;
      return { snat: given({ out: name(out), source, to: targetText(to), family }) };
    }
    case 'dnat': {
      const { in: input, destination, proto, port, to } = rule;
      return {
        dnat: given({
          in: input === undefined ? undefined : name(input),
          destination,
          proto,
          port: port === undefined ? undefined : portValue(port),
          to: targetText(to),
          family,
        }),
      };
    }
  }
}

function portValue({ from, to }: PortRange): number | string {
  return to === undefined ? from : `${from}-${to}`;
}

/** `10.1.1.10:80`; an address of IPv6 stands in brackets before a port. */
function targetText({ address, port }: NatTarget): number | string {
  if (address === undefined) return port === undefined ? '' : portValue(port);
  const { from, to } = address;
  const bare = (ip: string) => (port !== undefined && ip.includes(':') ? `[${ip}]` : ip);
  const range = to === undefined ? bare(from) : `${bare(from)}-${bare(to)}`;
  return port === undefined ? range : `${range}:${portValue(port)}`;
}

/** `firewall:` of a node. */
export function firewallKeys({ input, forward, output }: Firewall, name: Name): Keys {
  const chain = (from: FirewallChain | undefined) =>
    from === undefined
      ? undefined
      : given({
          policy: from.policy === 'accept' ? undefined : from.policy,
          rules: from.rules.length === 0 ? undefined : from.rules.map((rule) => ruleKeys(rule, name)),
        });
  return given({ input: chain(input), forward: chain(forward), output: chain(output) });
}

function ruleKeys(rule: FirewallRule, name: Name): Keys {
  const { in: input, out, source, destination, proto, sport, port, icmp_type, ct, log } = rule;
  return given({
    in: input === undefined ? undefined : name(input),
    out: out === undefined ? undefined : name(out),
    source: oneOrList(source?.map(addressText)),
    destination: oneOrList(destination?.map(addressText)),
    proto,
    sport: oneOrList(sport?.map(portValue)),
    port: oneOrList(port?.map(portValue)),
    icmp_type,
    ct: oneOrList(ct),
    counter: rule.counter ? true : undefined,
    log: log === '' ? true : log,
    action: rule.action,
    comment: rule.comment,
  });
}

function addressText(address: string | AddressRange): string {
  if (typeof address === 'string') return withoutFullLength(address);
  return address.to === undefined ? address.from : `${address.from}-${address.to}`;
}

function oneOrList<T>(list: readonly T[] | undefined): T | readonly T[] | undefined {
  return list?.length === 1 ? list[0] : list;
}

// Random rules of a filter chain that checkTable accepts, for properties that hold for every rule.

import fc from 'fast-check';
import { type IpAddress, type IpInterface, type IpPrefix, ipFromBytes, subnetOf } from '../../src/base/ip.ts';
import { completeRule } from '../../src/nfnl/protocol.ts';
import type { NftAddress, NftMatch, NftOp, NftPort, NftRule, NftStatement } from '../../src/nfnl/ruleset.ts';
import {
  ctStates,
  ctStatuses,
  fibTypes,
  icmpRejectCodes,
  icmpTypes,
  icmpv6RejectCodes,
  icmpv6Types,
  icmpxRejectCodes,
} from '../../src/nfnl/symbols.ts';

const op = fc.constantFrom<NftOp>('==', '!=');
const words = (table: Readonly<Record<string, number>>): fc.Arbitrary<string> =>
  fc.constantFrom(...Object.keys(table));
const some = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { minLength: 1, maxLength: 5 });

const port: fc.Arbitrary<NftPort> = fc.oneof(
  fc.integer({ min: 0, max: 65535 }),
  fc.constantFrom(0, 65535),
  fc
    .tuple(fc.integer({ min: 0, max: 65535 }), fc.integer({ min: 0, max: 65535 }))
    .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) })),
);

function address(protocol: 'ip' | 'ip6'): fc.Arbitrary<IpAddress> {
  const size = protocol === 'ip' ? 4 : 16;
  // Few different values, so that overlaps and neighbours happen.
  const byte = fc.oneof(fc.constantFrom(0, 1, 255), fc.integer({ min: 0, max: 255 }));
  return fc.uint8Array({ minLength: size, maxLength: size }).chain((bytes) =>
    fc.tuple(byte, fc.boolean()).map(([last, near]) => {
      const own = near ? new Uint8Array(size).fill(10, 0, size - 1) : bytes;
      own[size - 1] = last;
      return ipFromBytes(own);
    }),
  );
}

function addresses(protocol: 'ip' | 'ip6'): fc.Arbitrary<NftAddress> {
  const one = address(protocol);
  const bits = protocol === 'ip' ? 32 : 128;
  const prefix = fc
    .tuple(one, fc.integer({ min: 0, max: bits }))
    .map(([ip, length]): IpPrefix => subnetOf(`${ip}/${length}` as IpInterface));
  const range = fc.tuple(one, one).map(([a, b]) => {
    const [from, to] = Buffer.compare(key(a), key(b)) <= 0 ? [a, b] : [b, a];
    return { from, to };
  });
  return fc.oneof(one, prefix, range);
}

function key(ip: IpAddress): Buffer {
  const full = ip.includes(':')
    ? ip
    : ip
        .split('.')
        .map((part) => part.padStart(3, '0'))
        .join('.');
  return Buffer.from(ip.includes(':') ? expand(full) : full);
}

function expand(ip: string): string {
  const [head = '', tail] = ip
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...o) => {
      const [a, b, c, d] = o.slice(0, 4).map(Number) as [number, number, number, number];
      return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
    })
    .split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...gap, ...right].map((group) => group.padStart(4, '0')).join('');
}

const ifname = fc.oneof(
  fc.constantFrom('eth0', 'eth1', 'lo', 'verylongname123', 'é', 'a.b@c'),
  fc.stringMatching(/^[a-z][a-z0-9_.-]{0,14}$/),
);
/** Names of which none is the beginning of another, since nft would merge what a wildcard covers. */
const ifnames = fc.oneof(some(ifname), fc.constantFrom(['eth*'], ['a*', 'b1'], ['veth*', 'x', 'y*']));

const protocols = fc.constantFrom<string | number>('tcp', 'udp', 'icmp', 'icmpv6', 'gre', 'sctp', 47, 6, 200);
const mark = fc.integer({ min: 0, max: 0xffffffff });

const match: fc.Arbitrary<NftMatch> = fc.oneof(
  fc.record({ match: fc.constantFrom('iifname' as const, 'oifname' as const), op, names: ifnames }),
  ...(['ip', 'ip6'] as const).map((protocol) =>
    fc.record({
      match: fc.constantFrom('saddr' as const, 'daddr' as const),
      protocol: fc.constant(protocol),
      op,
      addresses: some(addresses(protocol)),
    }),
  ),
  fc.record({
    match: fc.constant('nfproto' as const),
    op,
    value: fc.constantFrom('ipv4' as const, 'ipv6' as const),
  }),
  fc.record({ match: fc.constant('l4proto' as const), op, protocols: some(protocols) }),
  fc.record({
    match: fc.constantFrom('sport' as const, 'dport' as const),
    protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'th' as const),
    op,
    ports: some(port),
  }),
  fc.record({
    match: fc.constant('icmp type' as const),
    protocol: fc.constant('icmp' as const),
    op,
    types: some(fc.oneof(words(icmpTypes), fc.integer({ min: 0, max: 255 }))),
  }),
  fc.record({
    match: fc.constant('icmp type' as const),
    protocol: fc.constant('icmpv6' as const),
    op,
    types: some(fc.oneof(words(icmpv6Types), fc.integer({ min: 0, max: 255 }))),
  }),
  fc.record({
    match: fc.constant('ct state' as const),
    op,
    states: some(words(ctStates)),
  }) as fc.Arbitrary<NftMatch>,
  fc.record({
    match: fc.constant('ct status' as const),
    op,
    status: some(words(ctStatuses)),
  }) as fc.Arbitrary<NftMatch>,
  fc.record({ match: fc.constant('fib daddr type' as const), op, types: some(words(fibTypes)) }),
  fc.record({ match: fc.constant('mark' as const), op, marks: some(mark) }),
  fc
    .tuple(op, mark, mark)
    .map(([o, mask, value]) => ({ match: 'mark', op: o, mask, marks: [(value & mask) >>> 0] }) as const),
);

const side: fc.Arbitrary<NftStatement> = fc.oneof(
  fc.constant({ statement: 'counter' } as const),
  fc.record({ statement: fc.constant('mark set' as const), value: mark }),
  fc.record({ statement: fc.constant('log' as const), prefix: fc.stringMatching(/^[a-z :.%-]{1,20}$/) }),
  fc.record({
    statement: fc.constant('limit' as const),
    rate: fc.integer({ min: 1, max: 100000 }),
    per: fc.constantFrom('second' as const, 'minute' as const, 'hour' as const),
    burst: fc.integer({ min: 1, max: 1000 }),
  }),
  fc.record({
    statement: fc.constant('limit' as const),
    rate: fc.integer({ min: 1, max: 100000 }).map((kbytes) => kbytes * 512),
    unit: fc.constant('bytes' as const),
    per: fc.constantFrom('second' as const, 'minute' as const),
    burst: fc.integer({ min: 1, max: 100000 }),
    over: fc.constant(true as const),
  }),
);

const verdict: fc.Arbitrary<NftStatement> = fc.oneof(
  fc.constantFrom<NftStatement>(
    { statement: 'accept' },
    { statement: 'drop' },
    { statement: 'return' },
    { statement: 'jump', chain: 'other' },
    { statement: 'goto', chain: 'other' },
    { statement: 'reject' },
    { statement: 'reject', with: { type: 'tcp reset' } },
  ),
  words(icmpRejectCodes).map((code): NftStatement => ({ statement: 'reject', with: { type: 'icmp', code } })),
  words(icmpv6RejectCodes).map(
    (code): NftStatement => ({ statement: 'reject', with: { type: 'icmpv6', code } }),
  ),
  words(icmpxRejectCodes).map(
    (code): NftStatement => ({ statement: 'reject', with: { type: 'icmpx', code } }),
  ),
);

const rule: fc.Arbitrary<NftRule> = fc
  .record({
    matches: fc.array(match, { maxLength: 4 }),
    side: fc.array(side, { maxLength: 2 }),
    verdict,
    comment: fc.option(fc.stringMatching(/^[a-z $'é-]{1,30}$/), { nil: undefined }),
  })
  .map(({ matches, side: before, verdict: last, comment }) => ({
    matches,
    statements: [...before, last],
    ...(comment === undefined ? {} : { comment }),
  }));

/** Rules for an input chain of an inet table that has a chain `other`; those that contradict themselves are left out. */
export const nftRuleArbitrary: fc.Arbitrary<NftRule> = rule.filter((candidate) => {
  try {
    completeRule('inet', candidate);
    return true;
  } catch {
    return false;
  }
});

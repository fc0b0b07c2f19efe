// Targets and matches of xtables inside of nf_tables rules, as iptables-nft still writes some, as the expressions that nft would
// have: NAT and the state of connections. linux/netfilter/nf_tables_compat.h, nf_nat.h, xt_conntrack.h.

import { attributeMap, readBe32, readString } from '../rtnl/message.ts';
import type { Expr } from './expr.ts';
import type { NftFamily } from './ruleset.ts';
import { ctStates } from './symbols.ts';

const NAME = 1;
const REVISION = 2;
const INFO = 3;

/** Undefined for what is no such expression, or has no other. */
export function xtExprs(family: NftFamily, expr: Expr): Expr[] | undefined {
  if (expr.expr !== 'foreign' || family === 'inet') return undefined;
  const attributes = attributeMap(Buffer.from(expr.data, 'hex'));
  const name = readString(attributes.get(NAME));
  const info = attributes.get(INFO);
  const revision = readBe32(attributes.get(REVISION)) ?? 0;
  if (info === undefined) return undefined;
  if (expr.name === 'target') {
    if (name === 'MASQUERADE') return masquerade(family, info);
    if (name === 'DNAT' || name === 'SNAT') return nat(family, { name, revision, info });
  }
  if (expr.name === 'match' && name === 'conntrack' && revision === 3) return conntrack(info);
  return undefined;
}

const NF_NAT_RANGE_MAP_IPS = 1;
const NF_NAT_RANGE_PROTO_SPECIFIED = 2;

/** struct nf_nat_ipv4_multi_range_compat: a count, then flags, two addresses and two ports; for IPv6 struct nf_nat_range. */
function masquerade(family: NftFamily, info: Buffer): Expr[] | undefined {
  const flags = family === 'ip' ? info.readUInt32LE(4) : info.readUInt32LE(0);
  return flags === 0 ? [{ expr: 'masq' }] : undefined;
}

type Nat = { readonly name: 'DNAT' | 'SNAT'; readonly revision: number; readonly info: Buffer };
type Range = {
  readonly flags: number;
  readonly min: Buffer;
  readonly max: Buffer;
  readonly ports: readonly [number, number];
};

function nat(family: NftFamily, { name, revision, info }: Nat): Expr[] | undefined {
  const range = family === 'ip' && revision === 0 ? range4(info) : range6(info, family === 'ip' ? 4 : 16);
  if (range === undefined) return undefined;
  const { flags, min, max, ports } = range;
  if ((flags & ~(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)) !== 0) return undefined;
  const exprs: Expr[] = [];
  const register = (hex: string): number => {
    exprs.push({ expr: 'immediate', dreg: 1 + exprs.length, data: hex });
    return exprs.length;
  };
  const ends = (low: string, high: string) => {
    const first = register(low);
    return low === high ? [first] : [first, register(high)];
  };
  const hasAddress = (flags & NF_NAT_RANGE_MAP_IPS) !== 0;
  const hasPort = (flags & NF_NAT_RANGE_PROTO_SPECIFIED) !== 0;
  const port = (number: number) => number.toString(16).padStart(4, '0');
  const [addressMin, addressMax] = hasAddress ? ends(min.toString('hex'), max.toString('hex')) : [];
  const [portMin, portMax] = hasPort ? ends(port(ports[0]), port(ports[1])) : [];
  return [
    ...exprs,
    {
      expr: 'nat',
      type: name === 'SNAT' ? 0 : 1,
      family: family === 'ip' ? 2 : 10,
      ...(addressMin === undefined ? {} : { addressMin }),
      ...(addressMax === undefined ? {} : { addressMax }),
      ...(portMin === undefined ? {} : { portMin }),
      ...(portMax === undefined ? {} : { portMax }),
      flags,
    },
  ];
}

function range4(info: Buffer): Range | undefined {
  if (info.length < 20) return undefined;
  return {
    flags: info.readUInt32LE(4),
    min: info.subarray(8, 12),
    max: info.subarray(12, 16),
    ports: [info.readUInt16BE(16), info.readUInt16BE(18)],
  };
}

/** struct nf_nat_range2: flags, two addresses of 16 bytes each, two ports, and where the ports are counted from. */
function range6(info: Buffer, bytes: number): Range | undefined {
  if (info.length < 40) return undefined;
  return {
    flags: info.readUInt32LE(0),
    min: info.subarray(4, 4 + bytes),
    max: info.subarray(20, 20 + bytes),
    ports: [info.readUInt16BE(36), info.readUInt16BE(38)],
  };
}

/** Where match_flags, invert_flags and state_mask of struct xt_conntrack_mtinfo3 are, after its addresses and ports. */
const MATCH_FLAGS = 146;
const INVERT_FLAGS = 148;
const STATE_MASK = 150;
const XT_CONNTRACK_STATE = 1;
/** XT_CONNTRACK_STATE_* against the bits of nft; those of NAT have none. */
const states: readonly (readonly [number, number])[] = [
  [0x01, ctStates['invalid'] ?? 0],
  [0x02, ctStates['established'] ?? 0],
  [0x04, ctStates['related'] ?? 0],
  [0x08, ctStates['new'] ?? 0],
  [0x100, ctStates['untracked'] ?? 0],
];

function conntrack(info: Buffer): Expr[] | undefined {
  if (info.length < STATE_MASK + 2) return undefined;
  if (info.readUInt16LE(MATCH_FLAGS) !== XT_CONNTRACK_STATE || info.readUInt16LE(INVERT_FLAGS) !== 0)
    return undefined;
  const asked = info.readUInt16LE(STATE_MASK);
  const known = states.filter(([theirs]) => (asked & theirs) !== 0);
  if (known.reduce((sum, [theirs]) => sum | theirs, 0) !== asked) return undefined;
  const mask = known.reduce((sum, [, ours]) => sum | ours, 0);
  const bits = Buffer.alloc(4);
  bits.writeUInt32LE(mask);
  return [
    { expr: 'ct', key: 0, dreg: 1 },
    { expr: 'bitwise', sreg: 1, dreg: 1, length: 4, mask: bits.toString('hex'), xor: '00000000' },
    { expr: 'cmp', sreg: 1, op: 1, data: '00000000' },
  ];
}

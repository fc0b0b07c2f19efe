// What the nf_tables rules of a namespace do to a packet at one hook: the expressions are run as the kernel runs them, on
// registers of bytes. What somebody else's rule may have and nslab has no meaning for (a named set, an iptables extension) ends
// that rule as if it did not match, and is counted. net/netfilter/nf_tables_core.c, linux/netfilter/nf_tables.h.

import { type IpAddress, ipFamily, ipFromBytes } from '../base/ip.ts';
import type { Expr } from '../nfnl/expr.ts';
import type { ChainForm, RuleForm, TableForm } from '../nfnl/read.ts';
import type { NftHook } from '../nfnl/ruleset.ts';
import type { Route } from '../rtnl/route.ts';
import { familyOfPacket, l4proto, networkHeader, type Packet, transportHeader } from './packet.ts';
import type { Netns } from './world.ts';

/** Where a packet is when a hook sees it. */
export type Passage = {
  readonly ns: Netns;
  readonly packet: Packet;
  readonly iif?: string | undefined;
  readonly oif?: string | undefined;
  /** Its connection was translated before. */
  readonly status?: { readonly snat?: boolean; readonly dnat?: boolean } | undefined;
};

/** A new source or destination that a rule gives. A masquerade has no address of its own. */
export type Translation = {
  readonly side: 'src' | 'dst';
  readonly address?: IpAddress;
  readonly port?: number;
  /** `rule 1 of nat.prerouting` */
  readonly by: string;
};

export type Fate =
  | { readonly verdict: 'accept'; readonly mark: number; readonly nat?: Translation }
  | { readonly verdict: 'drop' | 'reject'; readonly by: string };

type Ending =
  | { readonly kind: 'drop' | 'reject' | 'accept'; readonly rule: number; readonly chain: string }
  | {
      readonly kind: 'nat';
      readonly nat: Omit<Translation, 'by'>;
      readonly rule: number;
      readonly chain: string;
    };

const families = { 4: ['inet', 'ip'], 6: ['inet', 'ip6'] } as const;
/** Jumps may not go deeper in the kernel either (NFT_JUMP_STACK_SIZE). */
const JUMPS = 16;

// linux/netfilter.h and linux/netfilter/nf_tables.h
const NF_DROP = 0;
const NF_ACCEPT = 1;
const GOTO = 0xffff_fffc;
const RETURN = 0xffff_fffb;
const CONTINUE = 0xffff_ffff;

/** Runs all base chains of the hook, lowest priority first. */
export function passHook(hook: NftHook, passage: Passage): Fate {
  let mark = passage.packet.mark;
  let nat: Translation | undefined;
  for (const { table, chain } of baseChains(hook, passage)) {
    const run = new Run(table, { ...passage, packet: { ...passage.packet, mark } });
    const ending = run.chain(chain, 0);
    mark = run.mark;
    const where = (rule: number, name: string): string => `rule ${rule} of ${chainName(table, name)}`;
    if (ending?.kind === 'drop' || ending?.kind === 'reject')
      return { verdict: ending.kind, by: where(ending.rule, ending.chain) };
    if (ending?.kind === 'nat') nat = { ...ending.nat, by: where(ending.rule, ending.chain) };
    if (ending === undefined && chain.base?.policy === 'drop')
      return { verdict: 'drop', by: `the policy of ${chainName(table, chain.name)}` };
  }
  return { verdict: 'accept', mark, ...(nat === undefined ? {} : { nat }) };
}

type InTable = { readonly table: TableForm; readonly chain: ChainForm };

function baseChains(hook: NftHook, { ns, packet }: Passage): InTable[] {
  const seen: readonly string[] = families[familyOfPacket(packet)];
  return (
    ns.tables
      .filter(({ family }) => seen.includes(family))
      .flatMap((table) => table.chains.map((chain) => ({ table, chain })))
      .filter(({ chain }) => chain.base?.hook === hook)
      // Only the first packet of a connection meets the rules of NAT.
      .filter(({ chain }) => !(packet.reply && chain.base?.type === 'nat'))
      .sort((a, b) => (a.chain.base?.priority ?? 0) - (b.chain.base?.priority ?? 0))
  );
}

/** The chains that nslab makes of a file have the file's names; others have nft's. */
function chainName({ family, name }: TableForm, chain: string): string {
  const own = family === 'inet' && (name === 'nslab' || name.startsWith('nslab-'));
  if (own && ['input', 'forward', 'output'].includes(chain)) return `firewall.${chain}`;
  if (own && chain === 'networks') return 'the networks of containers';
  return own ? `nat.${chain}` : `chain ${chain} of table ${family} ${name}`;
}

type Verdict =
  | 'continue'
  | { readonly code: number; readonly chain?: string | undefined }
  | { readonly reject: true }
  | { readonly nat: Omit<Translation, 'by'> };

class Run {
  mark: number;
  readonly #table: TableForm;
  readonly #passage: Passage;
  readonly #headers: readonly [Buffer, Buffer];

  constructor(table: TableForm, passage: Passage) {
    this.#table = table;
    this.#passage = passage;
    this.mark = passage.packet.mark;
    this.#headers = [networkHeader(passage.packet), transportHeader(passage.packet)];
  }

  /** What decided; undefined where the chain came to its end or returned. */
  chain(chain: ChainForm, depth: number): Ending | undefined {
    for (const [i, rule] of chain.rules.entries()) {
      const verdict = this.#rule(rule);
      const at = { rule: i + 1, chain: chain.name };
      if (verdict === 'continue') continue;
      if ('nat' in verdict) return { kind: 'nat', nat: verdict.nat, ...at };
      if ('reject' in verdict) return { kind: 'reject', ...at };
      if (verdict.code === NF_DROP) return { kind: 'drop', ...at };
      if (verdict.code === NF_ACCEPT) return { kind: 'accept', ...at };
      if (verdict.code === RETURN) return undefined;
      const target = this.#table.chains.find(({ name }) => name === verdict.chain);
      if (target === undefined || depth >= JUMPS) continue;
      const ending = this.chain(target, depth + 1);
      if (ending !== undefined || verdict.code === GOTO) return ending;
    }
    return undefined;
  }

  #rule({ exprs }: RuleForm): Verdict {
    const registers = new Map<number, string>();
    for (const expr of exprs) {
      const verdict = this.#expr(expr, registers);
      if (verdict !== 'continue') return verdict === 'break' ? 'continue' : verdict;
    }
    return 'continue';
  }

  #expr(expr: Expr, registers: Map<number, string>): Verdict | 'break' {
    const hold = (condition: boolean): 'continue' | 'break' => (condition ? 'continue' : 'break');
    const load = (dreg: number | undefined, value: string | undefined): 'continue' | 'break' => {
      if (dreg === undefined || value === undefined) return 'break';
      registers.set(dreg, value);
      return 'continue';
    };
    switch (expr.expr) {
      case 'meta':
        if (expr.sreg !== undefined) return this.#setMeta(expr.key, registers.get(expr.sreg));
        return load(expr.dreg, this.#meta(expr.key));
      case 'payload':
        return load(expr.dreg, this.#payload(expr.base, expr.offset, expr.length));
      case 'ct':
        return load(expr.dreg, this.#ct(expr.key));
      case 'fib':
        return load(expr.dreg, this.#fib(expr.flags, expr.result));
      case 'immediate':
        return load(expr.dreg, expr.data);
      case 'bitwise': {
        const value = registers.get(expr.sreg ?? 0);
        if (value === undefined || expr.op !== undefined) return 'break';
        return load(expr.dreg, maskHex(value, expr.mask ?? '', expr.xor ?? ''));
      }
      case 'cmp': {
        const value = registers.get(expr.sreg ?? 0);
        return hold(value !== undefined && compare(value, expr.op ?? 0, expr.data ?? ''));
      }
      case 'range': {
        const value = registers.get(expr.sreg ?? 0);
        const inside = value !== undefined && value >= (expr.from ?? '') && value <= (expr.to ?? '');
        return hold(value !== undefined && inside === ((expr.op ?? 0) === 0));
      }
      case 'lookup': {
        const value = registers.get(expr.sreg);
        if (value === undefined || typeof expr.set === 'string') return 'break';
        const found = expr.set.elements.some(({ from, to }) => value >= from && value <= to);
        return hold(found !== (expr.invert === true));
      }
      case 'verdict':
        return expr.code === CONTINUE ? 'continue' : { code: expr.code, chain: expr.chain };
      case 'reject':
        return { reject: true };
      case 'nat':
        return { nat: this.#nat(expr, registers) };
      case 'masq':
        return { nat: { side: 'src' } };
      case 'redir':
        return { nat: { side: 'dst', ...portOf(registers, expr.portMin) } };
      case 'limit':
        // Under its rate, as one packet is: `limit rate over` does not hold then.
        return hold(((expr.flags ?? 0) & 1) === 0);
      case 'counter':
      case 'log':
        return 'continue';
      case 'foreign':
        // Statements that decide nothing; whatever else it is may or may not hold.
        return hold(['last', 'objref', 'quota', 'notrack'].includes(expr.name));
    }
  }

  #setMeta(key: number | undefined, value: string | undefined): 'continue' {
    if (key === 3 && value !== undefined) this.mark = Buffer.from(value, 'hex').readUInt32LE(0);
    return 'continue';
  }

  #meta(key: number | undefined): string | undefined {
    const { packet, iif, oif, ns } = this.#passage;
    const v4 = familyOfPacket(packet) === 4;
    switch (key) {
      case 0:
        return hostHex(packet.bytes);
      case 1:
        return v4 ? '0800' : '86dd';
      case 3:
        return hostHex(this.mark);
      case 4:
      case 5: {
        const name = key === 4 ? iif : oif;
        return hostHex(ns.links.find(({ ifname }) => ifname === name)?.ifindex ?? 0);
      }
      case 6:
        return nameHex(iif);
      case 7:
        return nameHex(oif);
      case 15:
        return v4 ? '02' : '0a';
      case 16:
        return l4proto(packet).toString(16).padStart(2, '0');
      default:
        return undefined;
    }
  }

  #payload(base: number | undefined, offset = 0, length = 0): string | undefined {
    const header = base === 1 ? this.#headers[0] : base === 2 ? this.#headers[1] : undefined;
    if (header === undefined || offset + length > header.length) return undefined;
    return header.subarray(offset, offset + length).toString('hex');
  }

  #ct(key: number | undefined): string | undefined {
    const { packet, status } = this.#passage;
    const ESTABLISHED = 2;
    const NEW = 8;
    const SEEN_REPLY = 2;
    if (key === 0) return hostHex(packet.reply ? ESTABLISHED : NEW);
    if (key === 1) return packet.reply ? '01' : '00';
    if (key !== 2) return undefined;
    const bits = (status?.snat ? 0x10 : 0) | (status?.dnat ? 0x20 : 0) | (packet.reply ? SEEN_REPLY : 0);
    return hostHex(bits);
  }

  #fib(flags: number | undefined, result: number | undefined): string | undefined {
    const SADDR = 1;
    const ADDRTYPE = 3;
    if (result !== ADDRTYPE) return undefined;
    const { ns, packet } = this.#passage;
    const answer = ns.lookup({ to: ((flags ?? 0) & SADDR) === 0 ? packet.dst : packet.src });
    return hostHex('route' in answer ? routeTypeNumber(answer.route) : 0);
  }

  #nat(
    expr: Extract<Expr, { expr: 'nat' }>,
    registers: ReadonlyMap<number, string>,
  ): Omit<Translation, 'by'> {
    const address = registers.get(expr.addressMin ?? -1);
    const bytes = address === undefined ? undefined : Buffer.from(address, 'hex');
    const DNAT = 1;
    return {
      side: expr.type === DNAT ? 'dst' : 'src',
      ...(bytes === undefined
        ? {}
        : { address: ipFromBytes(bytes.subarray(0, bytes.length === 16 ? 16 : 4)) }),
      ...portOf(registers, expr.portMin),
    };
  }
}

function portOf(registers: ReadonlyMap<number, string>, register: number | undefined): { port?: number } {
  const value = registers.get(register ?? -1);
  return value === undefined ? {} : { port: Number.parseInt(value.slice(0, 4), 16) };
}

function hostHex(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes.toString('hex');
}

const IFNAMSIZ = 16;

function nameHex(name: string | undefined): string {
  const bytes = Buffer.alloc(IFNAMSIZ);
  bytes.write(name ?? '');
  return bytes.toString('hex');
}

function maskHex(value: string, mask: string, xor: string): string {
  const [bytes, and, flip] = [value, mask, xor].map((hex) => Buffer.from(hex, 'hex'));
  if (bytes === undefined || and === undefined || flip === undefined) return value;
  return Buffer.from(bytes.map((byte, i) => (byte & (and[i] ?? 0)) ^ (flip[i] ?? 0))).toString('hex');
}

/** enum nft_cmp_ops. The register may be longer than what it is compared with: the beginning of a name. */
function compare(register: string, op: number, data: string): boolean {
  const value = register.slice(0, data.length);
  switch (op) {
    case 0:
      return value === data;
    case 1:
      return value !== data;
    case 2:
      return value < data;
    case 3:
      return value <= data;
    case 4:
      return value > data;
    default:
      return value >= data;
  }
}

// linux/rtnetlink.h, RTN_*
const routeTypes: readonly string[] = [
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
];

function routeTypeNumber({ type }: Route): number {
  return typeof type === 'number' ? type : Math.max(0, routeTypes.indexOf(type));
}

/** The packet with a new source or destination. */
export function translate(
  packet: Packet,
  { side, address, port }: Translation,
  own: IpAddress | undefined,
): Packet {
  const to = address ?? own;
  // One family does not become the other.
  const fits = to !== undefined && ipFamily(to) === ipFamily(packet.dst);
  const ported = packet.proto !== 'icmp' && port !== undefined;
  return side === 'src'
    ? { ...packet, ...(fits ? { src: to } : {}), ...(ported ? { sport: port } : {}) }
    : { ...packet, ...(fits ? { dst: to } : {}), ...(ported ? { dport: port } : {}) };
}

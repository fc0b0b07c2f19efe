// A few words of pcap-filter(7), compiled for SO_ATTACH_FILTER without libpcap. The words mean what they mean there. Packets are looked at
// from where IP begins (SKF_NET_OFF) and by what the kernel knows of them (SKF_AD_OFF), so one program serves every kind of
// link, and a VLAN tag is seen that the kernel keeps beside the packet. linux/filter.h, linux/bpf_common.h;
// Documentation/networking/filter.rst.

import { type IpAddress, type IpPrefix, ipToBytes, parseIpAddress, parseIpPrefix } from '../base/ip.ts';

/** struct sock_filter. */
export type Instruction = {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
};

/** The addresses of a name; undefined where it means nothing. */
export type Resolve = (name: string) => readonly IpAddress[] | undefined;

// linux/bpf_common.h: class, size and mode in one number each.
const LD_W = 0x20;
const LD_H = 0x28;
const LD_B = 0x30;
const LD_H_IND = 0x48;
const LDX_MSH = 0xb1;
const AND_K = 0x54;
const JEQ = 0x15;
const JSET = 0x45;
const RET = 0x06;

const NET = 0xfff0_0000;
const LINK = 0xffe0_0000;
const AD_PROTOCOL = 0xffff_f000;
const AD_VLAN_TAG = 0xffff_f02c;
const AD_VLAN_PRESENT = 0xffff_f030;

const ETH_HLEN = 14;
const ETH_P_IP = 0x0800;
const ETH_P_ARP = 0x0806;
const ETH_P_8021Q = 0x8100;
const ETH_P_IPV6 = 0x86dd;
const IPPROTO_FRAGMENT = 44;

const protocols: Readonly<Record<string, readonly { readonly family: 4 | 6; readonly number: number }[]>> = {
  icmp: [{ family: 4, number: 1 }],
  icmp6: [{ family: 6, number: 58 }],
  tcp: [
    { family: 4, number: 6 },
    { family: 6, number: 6 },
  ],
  udp: [
    { family: 4, number: 17 },
    { family: 6, number: 17 },
  ],
};

/** The words, for a message. */
export const FILTER_WORDS =
  'ip, ip6, arp, icmp, icmp6, tcp, udp, vlan [N], [src|dst] host A, [src|dst] net A/N, [tcp|udp] [src|dst] port N, and, or, not, ( )';

/** Parentheses within parentheses. */
const DEPTH_MOST = 50;

type Load = readonly [code: number, k: number];
type Test = {
  readonly kind: 'test';
  readonly loads: readonly Load[];
  readonly jump: number;
  readonly k: number;
};
type Expression =
  | Test
  | { readonly kind: 'and' | 'or'; readonly of: readonly Expression[] }
  | { readonly kind: 'not'; readonly of: Expression };

function test(loads: readonly Load[], k: number, jump = JEQ): Test {
  return { kind: 'test', loads, jump, k };
}

function and(...of: Expression[]): Expression {
  return { kind: 'and', of };
}

function or(...of: Expression[]): Expression {
  return { kind: 'or', of };
}

function ethertype(number: number): Expression {
  return test([[LD_H, AD_PROTOCOL]], number);
}

function protocol(family: 4 | 6, number: number): Expression {
  return family === 4
    ? and(ethertype(ETH_P_IP), test([[LD_B, NET + 9]], number))
    : and(ethertype(ETH_P_IPV6), test([[LD_B, NET + 6]], number));
}

/** With IPv6 all fragments, as of IPv4; of other extension headers pcap-filter(7) does not look behind. */
function allOf(family: 4 | 6, number: number): Expression {
  const whole = protocol(family, number);
  return family === 4
    ? whole
    : or(whole, and(protocol(6, IPPROTO_FRAGMENT), test([[LD_B, NET + 40]], number)));
}

function anyProtocol(name: string): Expression {
  return or(...(protocols[name] ?? []).map(({ family, number }) => allOf(family, number)));
}

type Direction = 'src' | 'dst' | undefined;

function ends(direction: Direction, source: Expression, destination: Expression): Expression {
  if (direction === 'src') return source;
  return direction === 'dst' ? destination : or(source, destination);
}

function port(number: number, direction: Direction, names: readonly string[]): Expression {
  const kinds = names.flatMap((name) => protocols[name] ?? []);
  const four: Expression = and(
    or(...kinds.filter((one) => one.family === 4).map((one) => protocol(4, one.number))),
    // Only the first fragment has ports.
    { kind: 'not', of: test([[LD_H, NET + 6]], 0x1fff, JSET) },
    ends(direction, test(portOfFour(0), number), test(portOfFour(2), number)),
  );
  const six = and(
    or(...kinds.filter((one) => one.family === 6).map((one) => protocol(6, one.number))),
    ends(direction, test([[LD_H, NET + 40]], number), test([[LD_H, NET + 42]], number)),
  );
  return or(four, six);
}

function portOfFour(offset: number): readonly Load[] {
  return [
    [LDX_MSH, NET],
    [LD_H_IND, NET + offset],
  ];
}

/** The address at the offset is in the net: word by word, with a mask where the net ends within one. */
function inNet(offset: number, bytes: Uint8Array, length: number): Expression {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tests: Expression[] = [];
  for (let at = 0; at * 8 < length; at += 4) {
    const bits = Math.min(32, length - at * 8);
    const mask = bits === 32 ? 0xffff_ffff : (0xffff_ffff << (32 - bits)) >>> 0;
    const loads: Load[] = [[LD_W, NET + offset + at], ...(bits === 32 ? [] : [[AND_K, mask] as const])];
    tests.push(test(loads, (view.getUint32(at) & mask) >>> 0));
  }
  // A net of length 0 has them all.
  return tests.length === 0 ? test([[LD_H, AD_PROTOCOL]], 0, JSET) : and(...tests);
}

function net(address: IpAddress, length: number, direction: Direction): Expression {
  const bytes = ipToBytes(address);
  const pair = (source: number, destination: number): Expression =>
    ends(direction, inNet(source, bytes, length), inNet(destination, bytes, length));
  if (bytes.length === 16) return and(ethertype(ETH_P_IPV6), pair(8, 24));
  return or(and(ethertype(ETH_P_IP), pair(12, 16)), and(ethertype(ETH_P_ARP), pair(14, 24)));
}

/** What is not one of our words. */
class Unknown extends Error {}

class Parser {
  readonly #tokens: readonly string[];
  readonly #resolve: Resolve;
  #at = 0;

  constructor(text: string, resolve: Resolve) {
    this.#tokens = text.match(/\(|\)|!|&&|\|\||[^\s()!&|]+/g) ?? [];
    this.#resolve = resolve;
  }

  parse(): Expression {
    const whole = this.#or(0);
    if (this.#at < this.#tokens.length) throw new Unknown();
    return whole;
  }

  #take(...words: readonly string[]): string | undefined {
    const token = this.#tokens[this.#at];
    if (token === undefined || !words.includes(token)) return undefined;
    this.#at++;
    return token;
  }

  #next(): string {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Unknown();
    return token;
  }

  #number(most: number): number {
    const token = this.#next();
    if (!/^[0-9]{1,5}$/.test(token) || Number(token) > most) throw new Unknown();
    return Number(token);
  }

  /** pcap-filter(7): `and` and `or` bind alike, from the left. */
  #or(depth: number): Expression {
    if (depth > DEPTH_MOST) throw new Unknown();
    let left = this.#factor(depth);
    for (;;) {
      const token = this.#take('and', '&&', 'or', '||');
      if (token === undefined) return left;
      const right = this.#factor(depth);
      left = token === 'and' || token === '&&' ? and(left, right) : or(left, right);
    }
  }

  #factor(depth: number): Expression {
    if (this.#take('not', '!') !== undefined) {
      if (depth > DEPTH_MOST) throw new Unknown();
      return { kind: 'not', of: this.#factor(depth + 1) };
    }
    if (this.#take('(') === undefined) return this.#primitive();
    const inside = this.#or(depth + 1);
    if (this.#take(')') === undefined) throw new Unknown();
    return inside;
  }

  #primitive(): Expression {
    if (this.#take('ip') !== undefined) return ethertype(ETH_P_IP);
    if (this.#take('ip6') !== undefined) return ethertype(ETH_P_IPV6);
    if (this.#take('arp') !== undefined) return ethertype(ETH_P_ARP);
    if (this.#take('vlan') !== undefined) return this.#vlan();
    const name = this.#take('icmp', 'icmp6', 'tcp', 'udp');
    if (name === 'icmp' || name === 'icmp6') return anyProtocol(name);
    const start = this.#at;
    const direction = this.#take('src', 'dst') as Direction;
    if (this.#take('port') !== undefined)
      return port(this.#number(65_535), direction, name === undefined ? ['tcp', 'udp'] : [name]);
    if (name !== undefined) {
      this.#at = start;
      return anyProtocol(name);
    }
    if (this.#take('host') !== undefined) return this.#host(direction);
    if (this.#take('net') !== undefined) return this.#net(direction);
    throw new Unknown();
  }

  #vlan(): Expression {
    const beside = test([[LD_B, AD_VLAN_PRESENT]], 1);
    if (!/^[0-9]+$/.test(this.#tokens[this.#at] ?? '')) return or(beside, ethertype(ETH_P_8021Q));
    const number = this.#number(4095);
    const id = (code: number, k: number): Expression =>
      test(
        [
          [code, k],
          [AND_K, 0xfff],
        ],
        number,
      );
    // In the frame the tag comes behind the header of Ethernet; where "the network begins" may be behind it (packet_parse_headers()).
    return or(and(beside, id(LD_H, AD_VLAN_TAG)), and(ethertype(ETH_P_8021Q), id(LD_H, LINK + ETH_HLEN)));
  }

  #host(direction: Direction): Expression {
    const token = this.#next();
    const address = parseIpAddress(token);
    const all = address.ok ? [address.value] : this.#resolve(token);
    if (all === undefined || all.length === 0) throw new Unknown();
    return or(...all.map((one) => net(one, ipToBytes(one).length * 8, direction)));
  }

  #net(direction: Direction): Expression {
    const prefix = parseIpPrefix(this.#next());
    if (!prefix.ok) throw new Unknown();
    const [address = '', length = ''] = (prefix.value as IpPrefix).split('/');
    return net(address as IpAddress, Number(length), direction);
  }
}

/** A place to jump to, known once the code before it is written. */
type Label = { at: number };
type Draft = {
  readonly code: number;
  readonly k: number;
  readonly jumps?: { readonly t: Label; readonly f: Label };
};

function emit(expression: Expression, code: Draft[], t: Label, f: Label): void {
  if (expression.kind === 'not') {
    emit(expression.of, code, f, t);
  } else if (expression.kind === 'test') {
    for (const [load, k] of expression.loads) code.push({ code: load, k });
    code.push({ code: expression.jump, k: expression.k, jumps: { t, f } });
  } else {
    const { kind, of } = expression;
    // Of nothing `and` is true and `or` is false: a jump that goes one way whatever is loaded.
    if (of.length === 0) throw new Error('an empty expression');
    for (const [i, one] of of.entries()) {
      const isLast = i === of.length - 1;
      const next: Label = { at: -1 };
      if (kind === 'and') emit(one, code, isLast ? t : next, f);
      else emit(one, code, t, isLast ? f : next);
      next.at = code.length;
    }
  }
}

/**
 * The program that keeps `snaplen` bytes of what the filter lets through; undefined for a filter with other words, or one too
 * long for the jumps of a program.
 */
export function compileFilter(
  text: string,
  { snaplen, resolve }: { readonly snaplen: number; readonly resolve: Resolve },
): Instruction[] | undefined {
  try {
    const code: Draft[] = [];
    const accept: Label = { at: -1 };
    const refuse: Label = { at: -1 };
    emit(new Parser(text, resolve).parse(), code, accept, refuse);
    accept.at = code.push({ code: RET, k: snaplen }) - 1;
    refuse.at = code.push({ code: RET, k: 0 }) - 1;
    return code.map(({ code: opcode, k, jumps }, at) => ({
      code: opcode,
      jt: distance(at, jumps?.t),
      jf: distance(at, jumps?.f),
      k,
    }));
  } catch (error) {
    if (error instanceof Unknown) return undefined;
    throw error;
  }
}

/** A program that keeps that many bytes of everything. */
export function keepAll(snaplen: number): Instruction[] {
  return [{ code: RET, jt: 0, jf: 0, k: snaplen }];
}

function distance(from: number, to: Label | undefined): number {
  const steps = to === undefined ? 0 : to.at - from - 1;
  if (steps > 255) throw new Unknown();
  return steps;
}

/** What `tcpdump -ddd` prints: the number of instructions, then a line `CODE JT JF K` for each. Undefined for anything else. */
export function parseProgram(text: string): Instruction[] | undefined {
  const [count = '', ...lines] = text.trim().split('\n');
  const steps = lines.map((line) => line.trim().split(/\s+/).map(Number));
  if (Number(count) !== steps.length || steps.length === 0) return undefined;
  const isStep = (step: readonly number[]): boolean =>
    step.length === 4 && step.every((number) => Number.isInteger(number) && number >= 0);
  if (!steps.every(isStep)) return undefined;
  return steps.map(([code = 0, jt = 0, jf = 0, k = 0]) => ({ code, jt, jf, k }));
}

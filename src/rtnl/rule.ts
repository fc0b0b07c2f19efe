// Policy routing rules. ip-rule(8), linux/fib_rules.h, net/core/fib_rules.c.

import type { IpPrefix } from '../base/ip.ts';
import { readIp } from './ip-bytes.ts';
import { defined } from './link-attributes.ts';
import {
  attributeMap,
  type MessageWriter,
  NLM_F_CREATE,
  NLM_F_EXCL,
  type Request,
  readString,
  readU8,
  readU16,
  readU32,
} from './message.ts';
import { AF_INET, AF_INET6, RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE } from './rtnetlink.ts';
import type { Transport } from './transport.ts';

const FIB_RULE_HDR_LEN = 12;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_GOTO = 4;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_L3MDEV = 19;
const FRA_UID_RANGE = 20;
const FRA_PROTOCOL = 21;
const FRA_IP_PROTO = 22;
const FRA_SPORT_RANGE = 23;
const FRA_DPORT_RANGE = 24;

const FIB_RULE_INVERT = 2;
/** FRA_SUPPRESS_PREFIXLEN of a rule that suppresses nothing. */
const SUPPRESS_NOTHING = 0xffff_ffff;

// linux/fib_rules.h, FR_ACT_*
const actions = { table: 1, goto: 2, nop: 3, blackhole: 6, unreachable: 7, prohibit: 8 } as const;

/** What a rule does with a packet it matches: look into a table, or refuse it. */
type RuleAction = keyof typeof actions;

/** First and last number of a range, both within. */
type NumberRange = { readonly start: number; readonly end: number };

/** A rule: what it matches, and what happens then. */
export type Rule = {
  readonly family: typeof AF_INET | typeof AF_INET6;
  readonly from?: IpPrefix;
  readonly to?: IpPrefix;
  readonly iif?: string;
  readonly oif?: string;
  readonly fwmark?: number;
  /** All bits unless said. */
  readonly fwmask?: number;
  readonly tos?: number;
  /** IPPROTO_*: 6 tcp, 17 udp. */
  readonly ipproto?: number;
  readonly sport?: NumberRange;
  readonly dport?: NumberRange;
  readonly uidrange?: NumberRange;
  /** Matches what the rest does not. */
  readonly not?: true;
  /** The place among the rules, lowest first. The kernel chooses one where it is absent. */
  readonly priority?: number;
  readonly action: RuleAction;
  readonly table?: number;
  /** The priority of the rule to go on with. */
  readonly goto?: number;
  /** Use the table of the vrf that the packet belongs to. */
  readonly l3mdev?: true;
  /** Pass over what the table finds when its prefix is that short. */
  readonly suppressPrefixlength?: number;
  readonly proto?: number;
};

export function newRule(rule: Rule): Request {
  return {
    type: RTM_NEWRULE,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: (writer) => writeRule(writer, rule),
  };
}

/** Deletes the first rule that has all the members given. */
export function delRule(rule: Rule): Request {
  return { type: RTM_DELRULE, payload: (writer) => writeRule(writer, rule) };
}

function writeRule(writer: MessageWriter, rule: Rule): void {
  const table = rule.table ?? 0;
  writer.u8(rule.family);
  writer.u8(rule.to === undefined ? 0 : lengthOf(rule.to));
  writer.u8(rule.from === undefined ? 0 : lengthOf(rule.from));
  writer.u8(rule.tos ?? 0);
  writer.u8(table < 256 ? table : 0);
  writer.u16(0);
  writer.u8(actions[rule.action]);
  writer.u32(rule.not === true ? FIB_RULE_INVERT : 0);
  if (rule.priority !== undefined) writer.attrU32(FRA_PRIORITY, rule.priority);
  if (rule.from !== undefined && lengthOf(rule.from) > 0) writer.attrIp(FRA_SRC, bare(rule.from));
  if (rule.to !== undefined && lengthOf(rule.to) > 0) writer.attrIp(FRA_DST, bare(rule.to));
  if (rule.iif !== undefined) writer.attrString(FRA_IIFNAME, rule.iif);
  if (rule.oif !== undefined) writer.attrString(FRA_OIFNAME, rule.oif);
  if (rule.fwmark !== undefined) writer.attrU32(FRA_FWMARK, rule.fwmark);
  if (rule.fwmask !== undefined) writer.attrU32(FRA_FWMASK, rule.fwmask);
  if (rule.ipproto !== undefined) writer.attrU8(FRA_IP_PROTO, rule.ipproto);
  if (rule.sport !== undefined) writePorts(writer, FRA_SPORT_RANGE, rule.sport);
  if (rule.dport !== undefined) writePorts(writer, FRA_DPORT_RANGE, rule.dport);
  if (rule.uidrange !== undefined) writeUids(writer, rule.uidrange);
  if (table > 255) writer.attrU32(FRA_TABLE, table);
  if (rule.goto !== undefined) writer.attrU32(FRA_GOTO, rule.goto);
  if (rule.l3mdev === true) writer.attrU8(FRA_L3MDEV, 1);
  if (rule.suppressPrefixlength !== undefined)
    writer.attrU32(FRA_SUPPRESS_PREFIXLEN, rule.suppressPrefixlength);
  if (rule.proto !== undefined) writer.attrU8(FRA_PROTOCOL, rule.proto);
}

function bare(prefix: IpPrefix): string {
  return prefix.slice(0, prefix.indexOf('/'));
}

function lengthOf(prefix: IpPrefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1));
}

/** struct fib_rule_port_range */
function writePorts(writer: MessageWriter, type: number, { start, end }: NumberRange): void {
  writer.attrU32(type, (end << 16) | start);
}

/** struct fib_rule_uid_range */
function writeUids(writer: MessageWriter, { start, end }: NumberRange): void {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(start, 0);
  bytes.writeUInt32LE(end, 4);
  writer.attrBytes(FRA_UID_RANGE, bytes);
}

/** Reads the payload of an RTM_NEWRULE; undefined where it is none of IPv4 or IPv6 or its action is not known. */
export function parseRule(payload: Buffer): Rule | undefined {
  if (payload.length < FIB_RULE_HDR_LEN) return undefined;
  const family = payload.readUInt8(0);
  const number = payload.readUInt8(7);
  const action = (Object.keys(actions) as RuleAction[]).find((name) => actions[name] === number);
  if ((family !== AF_INET && family !== AF_INET6) || action === undefined) return undefined;
  const attributes = attributeMap(payload, FIB_RULE_HDR_LEN);
  const table = readU32(attributes.get(FRA_TABLE)) ?? payload.readUInt8(4);
  const suppress = readU32(attributes.get(FRA_SUPPRESS_PREFIXLEN));
  return defined<Rule>({
    family,
    action,
    from: readPrefix(attributes.get(FRA_SRC), payload.readUInt8(2)),
    to: readPrefix(attributes.get(FRA_DST), payload.readUInt8(1)),
    iif: readString(attributes.get(FRA_IIFNAME)),
    oif: readString(attributes.get(FRA_OIFNAME)),
    fwmark: readU32(attributes.get(FRA_FWMARK)),
    fwmask: readU32(attributes.get(FRA_FWMASK)),
    tos: payload.readUInt8(3) || undefined,
    ipproto: readU8(attributes.get(FRA_IP_PROTO)),
    sport: readPorts(attributes.get(FRA_SPORT_RANGE)),
    dport: readPorts(attributes.get(FRA_DPORT_RANGE)),
    uidrange: readUids(attributes.get(FRA_UID_RANGE)),
    not: (payload.readUInt32LE(8) & FIB_RULE_INVERT) === 0 ? undefined : true,
    // The kernel leaves out a priority of 0.
    priority: readU32(attributes.get(FRA_PRIORITY)) ?? 0,
    table: table === 0 ? undefined : table,
    goto: readU32(attributes.get(FRA_GOTO)),
    l3mdev: readU8(attributes.get(FRA_L3MDEV)) === 1 ? true : undefined,
    suppressPrefixlength: suppress === SUPPRESS_NOTHING ? undefined : suppress,
    proto: readU8(attributes.get(FRA_PROTOCOL)),
  });
}

function readPrefix(value: Buffer | undefined, length: number): IpPrefix | undefined {
  const address = readIp(value);
  return address === undefined ? undefined : (`${address}/${length}` as IpPrefix);
}

function readPorts(value: Buffer | undefined): NumberRange | undefined {
  const start = readU16(value);
  const end = readU16(value?.subarray(2));
  return start === undefined || end === undefined ? undefined : { start, end };
}

function readUids(value: Buffer | undefined): NumberRange | undefined {
  const start = readU32(value);
  const end = readU32(value?.subarray(4));
  return start === undefined || end === undefined ? undefined : { start, end };
}

/** All rules of one family, or of both. */
export function getRules(transport: Transport, family?: typeof AF_INET | typeof AF_INET6): Rule[] {
  const families = family === undefined ? [AF_INET, AF_INET6] : [family];
  return families.flatMap((one) =>
    transport
      .dump({
        type: RTM_GETRULE,
        payload(writer) {
          writer.u8(one);
          writer.zeros(FIB_RULE_HDR_LEN - 1);
        },
      })
      .map(parseRule)
      .filter((rule) => rule !== undefined),
  );
}

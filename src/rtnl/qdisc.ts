// Queueing disciplines at the root of a device: netem, which delays and loses, and tbf, which limits a rate. tc-netem(8), tc-tbf(8);
// linux/pkt_sched.h TCA_NETEM_* and TCA_TBF_*, linux/rtnetlink.h struct tcmsg; net/sched/sch_netem.c, sch_tbf.c, sch_api.c.

import {
  attributeMap,
  type MessageWriter,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  type Request,
  readString,
  readU32,
  readU64,
} from './message.ts';
import type { Transport } from './transport.ts';

const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
/** sizeof(struct tcmsg) */
const TCMSG_LEN = 20;
const TC_H_ROOT = 0xffff_ffff;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;

// TCA_NETEM_*
const NETEM_CORR = 1;
const NETEM_REORDER = 3;
const NETEM_CORRUPT = 4;
const NETEM_RATE = 6;
const NETEM_RATE64 = 8;
const NETEM_LATENCY64 = 10;
const NETEM_JITTER64 = 11;
/** sizeof(struct tc_netem_qopt) */
const NETEM_QOPT_LEN = 24;

// TCA_TBF_*
const TBF_PARMS = 1;
const TBF_RATE64 = 4;
const TBF_BURST = 6;
const TC_LINKLAYER_ETHERNET = 1;

const U32_MAX = 0xffff_ffff;
/** PSCHED_SHIFT of net/pkt_sched.h: a tick is 64 ns on every kernel since 2.6.31, as /proc/net/psched says. */
const TICK_NS = 64n;

/** Times in nanoseconds, probabilities from 0 to 1, rates in bytes per second, `limit` in packets. */
export type Netem = {
  readonly kind: 'netem';
  readonly latency: number;
  readonly jitter: number;
  readonly limit: number;
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly corrupt: number;
  readonly rate: number;
};

/** Bytes, and bytes per second. What `limit` has no room for is dropped. */
export type Tbf = {
  readonly kind: 'tbf';
  readonly rate: number;
  readonly burst: number;
  readonly limit: number;
};

/** What is at the root of a device. */
export type RootQdisc = {
  readonly ifindex: number;
  /** 0 of a discipline that the kernel chose by itself. */
  readonly handle: number;
  readonly qdisc: Netem | Tbf | { readonly kind: string };
};

/**
 * Each kind has a handle of its own: one that is there is changed and keeps its packets, and one of another kind is replaced, which the
 * kernel refuses for a handle that is in use (tc_modify_qdisc()).
 */
export const qdiscHandles = { netem: 0x1_0000, tbf: 0x2_0000 } as const;

/** RTM_NEWQDISC: sets what is at the root of the device, whatever was there. */
export function replaceQdisc(ifindex: number, qdisc: Netem | Tbf): Request {
  return {
    type: RTM_NEWQDISC,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    payload(writer) {
      writeTcmsg(writer, { ifindex, handle: qdiscHandles[qdisc.kind], parent: TC_H_ROOT });
      writer.attrString(TCA_KIND, qdisc.kind);
      const options = writer.nest(TCA_OPTIONS);
      if (qdisc.kind === 'netem') writeNetem(writer, qdisc);
      else writeTbf(writer, qdisc);
      writer.endNest(options);
    },
  };
}

/** RTM_DELQDISC: the kernel puts the default of the device in its place. ENOENT where that is there already. */
export function deleteQdisc(ifindex: number): Request {
  return {
    type: RTM_DELQDISC,
    payload: (writer) => writeTcmsg(writer, { ifindex, handle: 0, parent: TC_H_ROOT }),
  };
}

function writeTcmsg(
  writer: MessageWriter,
  { ifindex, handle, parent }: { readonly ifindex: number; readonly handle: number; readonly parent: number },
): void {
  // tcm_family and its padding
  writer.u32(0);
  writer.u32(ifindex);
  writer.u32(handle);
  writer.u32(parent);
  // tcm_info
  writer.u32(0);
}

/** A probability as netem has it. */
function share(probability: number): number {
  return Math.round(probability * U32_MAX);
}

function ticks(ns: bigint): number {
  const count = ns / TICK_NS;
  return count > BigInt(U32_MAX) ? U32_MAX : Number(count);
}

/**
 * Every attribute, zeros too: netem keeps what a change does not name (netem_change()). Times are written twice, in ticks of 32 bits for
 * kernels before 4.15 and in nanoseconds, which others prefer.
 */
function writeNetem(writer: MessageWriter, netem: Netem): void {
  const { latency, jitter, limit, loss, duplicate, reorder, corrupt, rate } = netem;
  const [latencyNs, jitterNs] = [BigInt(Math.round(latency)), BigInt(Math.round(jitter))];
  writer.u32(ticks(latencyNs));
  writer.u32(limit);
  writer.u32(share(loss));
  // gap: every packet is asked whether it overtakes.
  writer.u32(reorder > 0 ? 1 : 0);
  writer.u32(share(duplicate));
  writer.u32(ticks(jitterNs));
  writer.attrBytes(NETEM_CORR, new Uint8Array(12));
  writer.attrBytes(NETEM_REORDER, words(share(reorder), 0));
  writer.attrBytes(NETEM_CORRUPT, words(share(corrupt), 0));
  if (rate > U32_MAX) writer.attrU64(NETEM_RATE64, BigInt(rate));
  writer.attrBytes(NETEM_RATE, words(Math.min(rate, U32_MAX), 0, 0, 0));
  writer.attrU64(NETEM_LATENCY64, latencyNs);
  writer.attrU64(NETEM_JITTER64, jitterNs);
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, i * 4);
  return bytes;
}

function writeTbf(writer: MessageWriter, { rate, burst, limit }: Tbf): void {
  // struct tc_tbf_qopt: rate, peakrate (struct tc_ratespec each), limit, buffer, mtu.
  const options = Buffer.alloc(36);
  options[1] = TC_LINKLAYER_ETHERNET;
  options.writeUInt32LE(Math.min(rate, U32_MAX), 8);
  options.writeUInt32LE(limit, 24);
  // How long the burst takes, for kernels before TCA_TBF_BURST (3.14).
  options.writeUInt32LE(ticks(BigInt(Math.floor((burst * 1e9) / rate))), 28);
  writer.attrBytes(TBF_PARMS, options);
  writer.attrU32(TBF_BURST, burst);
  if (rate > U32_MAX) writer.attrU64(TBF_RATE64, BigInt(rate));
}

/** What is at the roots of the devices of the transport's namespace. */
export function getRootQdiscs(transport: Transport): RootQdisc[] {
  const payloads = transport.dump({
    type: RTM_GETQDISC,
    payload: (writer) => writeTcmsg(writer, { ifindex: 0, handle: 0, parent: 0 }),
  });
  return payloads.flatMap((payload) => parseRootQdisc(payload) ?? []);
}

/** Reads the payload of an RTM_NEWQDISC; undefined where it is none of a root. */
export function parseRootQdisc(payload: Buffer): RootQdisc | undefined {
  if (payload.length < TCMSG_LEN || payload.readUInt32LE(12) !== TC_H_ROOT) return undefined;
  const attributes = attributeMap(payload, TCMSG_LEN);
  const kind = readString(attributes.get(TCA_KIND)) ?? '';
  const options = attributes.get(TCA_OPTIONS) ?? Buffer.alloc(0);
  const known = kind === 'netem' ? parseNetem(options) : kind === 'tbf' ? parseTbf(options) : undefined;
  return {
    ifindex: payload.readInt32LE(4),
    handle: payload.readUInt32LE(8),
    qdisc: known ?? { kind },
  };
}

function parseNetem(options: Buffer): Netem | undefined {
  if (options.length < NETEM_QOPT_LEN) return undefined;
  const attributes = attributeMap(options, NETEM_QOPT_LEN);
  const time = (attribute: number, offset: number): number =>
    Number(readU64(attributes.get(attribute)) ?? BigInt(options.readUInt32LE(offset)) * TICK_NS);
  const chance = (value: number | undefined): number => (value ?? 0) / U32_MAX;
  const gap = options.readUInt32LE(12);
  return {
    kind: 'netem',
    latency: time(NETEM_LATENCY64, 0),
    jitter: time(NETEM_JITTER64, 20),
    limit: options.readUInt32LE(4),
    loss: chance(options.readUInt32LE(8)),
    duplicate: chance(options.readUInt32LE(16)),
    reorder: gap === 0 ? 0 : chance(readU32(attributes.get(NETEM_REORDER))),
    corrupt: chance(readU32(attributes.get(NETEM_CORRUPT))),
    rate: Number(readU64(attributes.get(NETEM_RATE64)) ?? readU32(attributes.get(NETEM_RATE)) ?? 0),
  };
}

function parseTbf(options: Buffer): Tbf | undefined {
  const attributes = attributeMap(options);
  const parameters = attributes.get(TBF_PARMS);
  if (parameters === undefined || parameters.length < 36) return undefined;
  const rate = Number(readU64(attributes.get(TBF_RATE64)) ?? parameters.readUInt32LE(8));
  // The kernel does not tell the burst, only how long it takes.
  const burst = Math.round((Number(BigInt(parameters.readUInt32LE(28)) * TICK_NS) * rate) / 1e9);
  return { kind: 'tbf', rate, burst, limit: parameters.readUInt32LE(24) };
}

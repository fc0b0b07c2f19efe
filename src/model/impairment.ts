// What a wire does to packets: in the words of tc-netem(8), for pictures, tables and commands, and as the queueing discipline that does
// it. A rate alone is tbf's, which every kernel has; all else is netem's.

import {
  durationText,
  parseDuration,
  parsePercent,
  parseRate,
  percentText,
  rateText,
} from '../base/units.ts';
import type { Impairment } from './lab.ts';

/** What reads the text of each word that has a unit. */
export const impairmentReaders = {
  delay: parseDuration,
  jitter: parseDuration,
  loss: parsePercent,
  corrupt: parsePercent,
  duplicate: parsePercent,
  reorder: parsePercent,
  rate: parseRate,
} as const satisfies Partial<Record<keyof Impairment, unknown>>;

/** Its options one by one, each with its word and values: `['delay', '20ms', '2ms']`, `['loss', '1%']`. */
export function impairmentOptions(impairment: Impairment): string[][] {
  const { delay, jitter, loss, corrupt, duplicate, reorder, rate, limit } = impairment;
  const options: string[][] = [];
  if (limit !== undefined) options.push(['limit', String(limit)]);
  if (delay !== undefined) {
    options.push(['delay', durationText(delay), ...(jitter === undefined ? [] : [durationText(jitter)])]);
  }
  const chances = { loss, corrupt, duplicate, reorder };
  for (const [word, chance] of Object.entries(chances)) {
    if (chance !== undefined) options.push([word, percentText(chance)]);
  }
  if (rate !== undefined) options.push(['rate', rateText(rate)]);
  return options;
}

/** `delay 20ms 2ms loss 1%`; nothing for none. */
export function impairmentText(impairment: Impairment): string {
  return impairmentOptions(impairment).flat().join(' ');
}

/** A queueing discipline at the root of a device: tc-netem(8), or tc-tbf(8) with bytes. */
export type Qdisc =
  | ({ readonly kind: 'netem' } & Impairment)
  | { readonly kind: 'tbf'; readonly rate: number; readonly burst: number; readonly limit: number };

/** Bits per second in the kernel's unit; never none. */
export function bytesPerSecond(rate: number): number {
  return Math.max(1, Math.floor(rate / 8));
}

/** An Ethernet header. */
const HEADER = 14;
const ETHERNET_MTU = 1500;

/** The discipline that does it to what leaves a device of that MTU; undefined where there is nothing to do. */
export function qdiscOf(impairment: Impairment, mtu = ETHERNET_MTU): Qdisc | undefined {
  const keys = Object.keys(impairment);
  const { rate } = impairment;
  if (keys.length === 0) return undefined;
  if (rate === undefined || keys.length > 1) return { kind: 'netem', ...impairment };
  const bytes = bytesPerSecond(rate);
  // Ten packets at once, or what passes in 5 ms where that is more; and as much as passes in 100 ms may wait.
  const burst = Math.max(10 * (mtu + HEADER), Math.floor(bytes / 200));
  return { kind: 'tbf', rate, burst, limit: burst + Math.max(10 * (mtu + HEADER), Math.floor(bytes / 10)) };
}

/** sch_netem's own limit, in packets. */
export const NETEM_LIMIT = 1000;

/** A discipline in the kernel's units: nanoseconds, bytes per second, probabilities from 0 to 1, packets. */
export type KernelQdisc =
  | { readonly kind: string }
  | { readonly kind: 'tbf'; readonly rate: number }
  | {
      readonly kind: 'netem';
      readonly latency: number;
      readonly jitter: number;
      readonly limit: number;
      readonly loss: number;
      readonly corrupt: number;
      readonly duplicate: number;
      readonly reorder: number;
      readonly rate: number;
    };

/** A discipline as the kernel has it, in the model's units; undefined where it is none that a file can ask for. */
export function impairmentOf(qdisc: KernelQdisc): Impairment | undefined {
  if (!('rate' in qdisc)) return undefined;
  const rate = qdisc.rate === 0 ? undefined : qdisc.rate * 8;
  if (!('latency' in qdisc)) return rate === undefined ? {} : { rate };
  const { latency, jitter, limit, loss, corrupt, duplicate, reorder } = qdisc;
  const all = {
    delay: latency / 1000,
    jitter: jitter / 1000,
    loss,
    corrupt,
    duplicate,
    reorder,
    rate: rate ?? 0,
    limit: limit === NETEM_LIMIT ? 0 : limit,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0));
}

/** As the kernel will have it: whole bytes per second, and what netem does anyway left out. Two are the same when their texts are. */
export function impairmentOfQdisc(qdisc: Qdisc): Impairment {
  const { rate } = qdisc;
  const whole = rate === undefined ? {} : { rate: bytesPerSecond(rate) * 8 };
  if (qdisc.kind === 'tbf') return whole;
  const { kind: _kind, ...impairment } = qdisc;
  const given = Object.entries({ ...impairment, ...whole }).filter(
    ([key, value]) => value !== 0 && !(key === 'limit' && value === NETEM_LIMIT),
  );
  return Object.fromEntries(given);
}

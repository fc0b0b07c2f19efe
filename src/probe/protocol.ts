// The lines that `nslab-helper _probe` reads and writes (src/helper/probe.c), both ways.

import type { IpAddress } from '../base/ip.ts';
import { errnoName } from '../sys/errno.ts';

/** One question to one address. */
export type ProbeRequest = {
  /** A file of the network namespace; null is the one of this process. */
  readonly netns: string | null;
  /** Milliseconds until silence is the answer. */
  readonly timeout: number;
  /** May have a zone, `fe80::1%eth0`. */
  readonly address: string;
} & (
  | { readonly kind: 'icmp'; readonly payload: Uint8Array }
  | { readonly kind: 'udp'; readonly port: number; readonly payload: Uint8Array }
  /** Without a payload it is enough to be connected; else the stream is read to its end, or its first 16 KiB. */
  | { readonly kind: 'tcp'; readonly port: number; readonly payload?: Uint8Array }
);

export type ProbeReply = {
  /** `cut`: a connection stood, and the stream had not ended in time. */
  readonly state: 'answer' | 'error' | 'silence' | 'cut';
  readonly micros: number;
  /** `ECONNREFUSED`, ...; of an `error` alone. */
  readonly code?: string;
  /** The ICMP message that said so, and who sent it. */
  readonly icmp?: { readonly type: number; readonly code: number; readonly from: IpAddress };
  /** What came: a datagram, or the beginning of a stream. */
  readonly data: Buffer;
};

/** A line for the helper, with its line break. */
export function encodeRequest(id: number, request: ProbeRequest): string {
  const { netns, timeout, kind, address, payload } = request;
  const port = kind === 'icmp' ? 0 : request.port;
  const data = payload === undefined || payload.length === 0 ? '-' : Buffer.from(payload).toString('hex');
  const fields = [id, netns ?? '-', Math.max(0, Math.round(timeout)), kind, address, port, data];
  const line = fields.join('\t');
  if (/[\n\r\0]/.test(line) || line.split('\t').length !== fields.length)
    throw new Error(`not a probe: ${JSON.stringify(request)}`);
  return `${line}\n`;
}

const states: readonly string[] = ['answer', 'error', 'silence', 'cut'] satisfies ProbeReply['state'][];

/** A line of the helper; undefined where it is none. */
export function parseReply(line: string): { readonly id: number; readonly reply: ProbeReply } | undefined {
  const [id, state, micros, errno, type, code, from, data, ...rest] = line.split('\t');
  if (id === undefined || data === undefined || rest.length > 0) return undefined;
  if (state === undefined || !states.includes(state)) return undefined;
  const number = Number(errno);
  return {
    id: Number(id),
    reply: {
      state: state as ProbeReply['state'],
      micros: Number(micros),
      ...(number === 0 ? {} : { code: errnoName(number) }),
      ...(from === undefined || from === '-'
        ? {}
        : { icmp: { type: Number(type), code: Number(code), from: from as IpAddress } }),
      data: data === '-' ? Buffer.alloc(0) : Buffer.from(data, 'hex'),
    },
  };
}

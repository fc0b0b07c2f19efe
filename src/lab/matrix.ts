// `nslab test --matrix`: from every node an echo request to every other one, all at the same time.

import { setTimeout as wait } from 'node:timers/promises';
import type { IpAddress } from '../base/ip.ts';
import { helperPath } from '../kernel/helper.ts';
import { ownsNetns } from '../model/container.ts';
import { Prober } from '../probe/prober.ts';
import type { ProbeReply, ProbeRequest } from '../probe/protocol.ts';
import { AddressBook, netnsOf, type Subject } from './test-subject.ts';

export type MatrixCell = {
  readonly from: string;
  readonly to: string;
  /** That was tried; null where the node has none. */
  readonly address: IpAddress | null;
  readonly reached: boolean;
  /** Of the answer. */
  readonly ms?: number;
  /** `silence`, or the errno's name. */
  readonly why?: string;
};

export type Matrix = {
  readonly lab: string;
  readonly nodes: readonly string[];
  /** Of every pair, row by row. */
  readonly cells: readonly MatrixCell[];
};

/** The neighbour table of the machine is full for as long (net.ipv4.neigh.default.gc_thresh3): entries must be 5 s old to go. */
const AGAIN = 8;
const AGAIN_MS = 1000;

/** Nodes without an address ask nobody and are not asked: switches above all. */
export async function reachability(subject: Subject, timeout: number): Promise<Matrix> {
  const { lab } = subject;
  const book = new AddressBook(subject);
  await using prober = new Prober(helperPath());
  const nodes = lab.nodes.filter((node) => ownsNetns(node) && book.known(node.name, null).length > 0);
  const cells = nodes.flatMap((from) =>
    nodes
      .filter((to) => to !== from)
      .map(async (to): Promise<MatrixCell> => {
        const netns = netnsOf(from, lab);
        const [address] = book.known(to.name, netns);
        const pair = { from: from.name, to: to.name };
        if (address === undefined) return { ...pair, address: null, reached: false };
        const payload = Buffer.alloc(56, 'nslab ');
        const reply = await askPatiently(prober, { kind: 'icmp', netns, timeout, address, payload });
        const reached = reply.state === 'answer';
        return {
          ...pair,
          address,
          reached,
          ...(reached ? { ms: reply.micros / 1000 } : { why: reply.code ?? reply.state }),
        };
      }),
  );
  return { lab: lab.name, nodes: nodes.map(({ name }) => name), cells: await Promise.all(cells) };
}

async function askPatiently(prober: Prober, request: ProbeRequest): Promise<ProbeReply> {
  for (let tries = 1; ; tries++) {
    const reply = await prober.ask(request);
    if (reply.code !== 'ENOBUFS' || tries > AGAIN) return reply;
    await wait(AGAIN_MS);
  }
}

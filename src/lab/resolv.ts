// Which resolver a node gets where the file names none: the host's, unless that listens on a loopback address, which inside a
// node is the node's own loopback with nobody on it. resolv.conf(5), systemd-resolved(8).

import { readFileSync } from 'node:fs';
import type { Op } from '../plan/op.ts';

const HOST = '/etc/resolv.conf';
/** Where systemd-resolved lists the servers it asks itself. */
const UPSTREAM = '/run/systemd/resolve/resolv.conf';

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** True when a `nameserver` line names 127.0.0.0/8 or ::1. */
export function hasLoopbackServer(text: string): boolean {
  return /^\s*nameserver\s+(127\.|::1(\s|$))/m.test(text);
}

/**
 * The text that nodes get instead of the host's /etc/resolv.conf, or undefined where that one will do. Nothing but comments is
 * left when no server of the host can be reached from a node: names of the lab come from /etc/hosts in any case.
 */
export function resolverForNodes(host: string | undefined, upstream: string | undefined): string | undefined {
  if (host === undefined || !hasLoopbackServer(host)) return undefined;
  if (upstream !== undefined && !hasLoopbackServer(upstream)) return upstream;
  const kept = host.split('\n').filter((line) => /^\s*(search|domain|options)\s/.test(line));
  return [
    '# nslab: the resolver of the host listens on its own loopback and cannot be reached from here',
    ...kept,
    '',
  ].join('\n');
}

/** The ops, with a resolv.conf in every view that has none of its own and needs one, and servers where the file names none. */
export function withResolvers(ops: Op[]): Op[] {
  const machine = read(HOST);
  const forNodes = resolverForNodes(machine, read(UPSTREAM));
  return ops.map((op) => {
    if (op.kind !== 'writeEtc') return op;
    const text = resolverOf(op.files['resolv.conf'], { machine, forNodes });
    return text === undefined ? op : { ...op, files: { ...op.files, 'resolv.conf': text } };
  });
}

type Resolvers = { readonly machine: string | undefined; readonly forNodes: string | undefined };

/** The resolv.conf of a view that has this one; undefined where the machine's will do. */
export function resolverOf(own: string | undefined, { machine, forNodes }: Resolvers): string | undefined {
  if (own === undefined) return forNodes;
  if (/^nameserver /m.test(own)) return own;
  // Who says only how names are searched wants the servers of the machine.
  const lines = (forNodes ?? machine ?? '').split('\n').filter((line) => /^\s*nameserver\s/.test(line));
  return lines.map((line) => `${line}\n`).join('') + own;
}

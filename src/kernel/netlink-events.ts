// The changes of many namespaces at once: the helper listens in each (src/helper/events.c, because a thread of Node cannot have a thousand
// sockets and wait for them) and passes on what the kernel tells. Here its frames become messages.

import { spawn } from 'node:child_process';
import { type Notification, parseNotifications } from '../rtnl/notification.ts';
import { helperPath } from './helper.ts';

export type { Address } from '../rtnl/addr.ts';
export type { Link } from '../rtnl/link.ts';
export type { FdbEntry, Neighbour } from '../rtnl/neigh.ts';
export type { Notification } from '../rtnl/notification.ts';
export type { Route } from '../rtnl/route.ts';

/** `place` is that of the namespace in the list. */
export type NetlinkEvent =
  | { readonly kind: 'change'; readonly place: number; readonly change: Notification }
  /** The kernel had no room for some of them (ENOBUFS). */
  | { readonly kind: 'lost'; readonly place: number }
  /** The namespace has no name any more, and nobody listens there. */
  | { readonly kind: 'gone'; readonly place: number }
  /** All links that there were have been told, and whatever comes now is new. */
  | { readonly kind: 'ready' };

const HEAD = 12;
const MESSAGES = 0;
const LOST = 1;
const GONE = 2;

/** Takes the frames out of a stream of bytes that comes in any pieces. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);

  take(piece: Buffer): NetlinkEvent[] {
    this.#bytes = this.#bytes.length === 0 ? piece : Buffer.concat([this.#bytes, piece]);
    const events: NetlinkEvent[] = [];
    let at = 0;
    while (at + HEAD <= this.#bytes.length) {
      const end = at + HEAD + this.#bytes.readUInt32LE(at);
      if (end > this.#bytes.length) break;
      const place = this.#bytes.readUInt32LE(at + 4);
      const kind = this.#bytes.readUInt32LE(at + 8);
      if (kind === MESSAGES) {
        const changes = parseNotifications(this.#bytes.subarray(at + HEAD, end));
        events.push(...changes.map((change) => ({ kind: 'change', place, change }) as const));
      } else if (kind === LOST || kind === GONE) {
        events.push({ kind: kind === LOST ? 'lost' : 'gone', place });
      } else {
        events.push({ kind: 'ready' });
      }
      at = end;
    }
    this.#bytes = this.#bytes.subarray(at);
    return events;
  }
}

/**
 * Listens in the namespaces of the list, whose lines the helper reads (src/helper/netns-list.h), until all of them are gone or the
 * signal aborts; the status is that of the helper, 0 in both cases.
 */
export async function listenToNamespaces(
  lines: readonly string[],
  visit: (events: readonly NetlinkEvent[]) => void,
  signal: AbortSignal,
): Promise<number> {
  const child = spawn(helperPath(), ['_events'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const reader = new FrameReader();
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    // It may have ended before it has read everything, and says why itself.
    child.stdin.on('error', () => undefined);
    child.stdin.end(`${lines.join('\n')}\n`);
    child.stdout.on('data', (piece: Buffer) => visit(reader.take(piece)));
    // A SIGINT of the terminal reaches it, too.
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject).once('close', (code, name) => resolve(name === null ? (code ?? 1) : 0));
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

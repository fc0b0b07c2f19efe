// What rtnetlink tells whoever listens to its groups, rtnetlink(7): a datagram as the messages of this room. What none of them is,
// and what is cut off, is passed over.

import { type Address, parseAddress } from './addr.ts';
import { type Link, parseLink } from './link.ts';
import { NLMSG_HDRLEN } from './message.ts';
import { type FdbEntry, type Neighbour, parseFdbEntry, parseNeighbour } from './neigh.ts';
import { parseRoute, type Route } from './route.ts';
import {
  AF_BRIDGE,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
} from './rtnetlink.ts';

export type Notification = {
  /** It is no more. */
  readonly deleted: boolean;
  /** Part of the answer to a question about what there is (NLM_F_MULTI), no change. */
  readonly dumped: boolean;
  /** In the place of another (NLM_F_REPLACE): a route. */
  readonly replaces: boolean;
} & (
  | { readonly kind: 'link'; readonly link: Link }
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'route'; readonly route: Route }
  | { readonly kind: 'neighbour'; readonly neighbour: Neighbour }
  | { readonly kind: 'fdb'; readonly entry: FdbEntry }
);

// linux/netlink.h
const NLM_F_MULTI = 0x2;
const NLM_F_REPLACE = 0x100;

const deletions: ReadonlySet<number> = new Set([RTM_DELLINK, RTM_DELADDR, RTM_DELROUTE, RTM_DELNEIGH]);

/** The changes that a datagram tells, in their order. Never throws, whatever the bytes are. */
export function parseNotifications(datagram: Buffer): Notification[] {
  const found: Notification[] = [];
  for (let at = 0; at + NLMSG_HDRLEN <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < NLMSG_HDRLEN || at + length > datagram.length) break;
    const type = datagram.readUInt16LE(at + 4);
    const flags = datagram.readUInt16LE(at + 6);
    const change = parseChange(type, datagram.subarray(at + NLMSG_HDRLEN, at + length));
    if (change !== undefined) {
      found.push({
        deleted: deletions.has(type),
        dumped: (flags & NLM_F_MULTI) !== 0,
        replaces: (flags & NLM_F_REPLACE) !== 0,
        ...change,
      });
    }
    at += (length + 3) & ~3;
  }
  return found;
}

type Change = Notification extends infer N
  ? N extends unknown
    ? Omit<N, 'deleted' | 'dumped' | 'replaces'>
    : never
  : never;

function parseChange(type: number, payload: Buffer): Change | undefined {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      // Those of family AF_BRIDGE are about a port, and their RTM_DELLINK means that it has left its bridge.
      const link = payload[0] === AF_BRIDGE ? undefined : parseLink(payload);
      return link === undefined ? undefined : { kind: 'link', link };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = parseAddress(payload);
      return address === undefined ? undefined : { kind: 'address', address };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const route = parseRoute(payload);
      return route === undefined ? undefined : { kind: 'route', route };
    }
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH: {
      const neighbour = parseNeighbour(payload);
      if (neighbour !== undefined) return { kind: 'neighbour', neighbour };
      const entry = parseFdbEntry(payload);
      return entry === undefined ? undefined : { kind: 'fdb', entry };
    }
    default:
      return undefined;
  }
}

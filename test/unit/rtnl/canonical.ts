// Netlink messages in a form that compares: attributes as sorted text, nested ones within their braces, so that neither the
// order of attributes nor the flag for nesting nor the closing NUL of a kind's name makes a difference.

import { eachAttribute, MessageWriter, NLMSG_HDRLEN, type Request } from '../../../src/rtnl/message.ts';

/** Which attributes hold others, by type; the inner object is the same for the next level. */
export type Nesting = { readonly [type: number]: Nesting };

/** A peer block or a next hop: bytes of a header before its attributes. */
const HEADERS: Readonly<Record<string, number>> = { '18/2/1': 16 };

export type Canonical = {
  readonly type: number;
  readonly flags: number;
  readonly header: string;
  readonly attributes: readonly string[];
};

/** The bytes of a request as the transport sends it, sequence number 0. */
export function bytesOf(request: Request): Buffer {
  const writer = new MessageWriter(64);
  writer.message(request, (request.flags ?? 0) | 1, 0);
  return writer.take();
}

/** The payload of a request. */
export function payloadOf(request: Request): Buffer {
  const bytes = bytesOf(request);
  return bytes.subarray(NLMSG_HDRLEN, bytes.readUInt32LE(0));
}

export function canonical(message: Buffer, headerLength: number, nesting: Nesting): Canonical {
  return {
    type: message.readUInt16LE(4),
    // Without NLM_F_REQUEST and NLM_F_ACK, which the transport decides.
    flags: message.readUInt16LE(6) & ~5,
    header: message.toString('hex', NLMSG_HDRLEN, NLMSG_HDRLEN + headerLength),
    attributes: list(message.subarray(0, message.readUInt32LE(0)), NLMSG_HDRLEN + headerLength, {
      nesting,
      path: '',
    }),
  };
}

type Level = { readonly nesting: Nesting; readonly path: string };

function list(bytes: Buffer, offset: number, { nesting, path }: Level): string[] {
  const found: string[] = [];
  eachAttribute(bytes, offset, (type, value) => {
    const here = path === '' ? String(type) : `${path}/${type}`;
    const inner = nesting[type];
    if (inner === undefined) {
      found.push(`${type}:${(here === '18/1' ? withoutNul(value) : value).toString('hex')}`);
    } else {
      const header = HEADERS[here] ?? 0;
      const level = { nesting: inner, path: here };
      found.push(`${type}:${value.toString('hex', 0, header)}{${list(value, header, level).join(' ')}}`);
    }
  });
  return found.sort();
}

function withoutNul(value: Buffer): Buffer {
  return value.at(-1) === 0 ? value.subarray(0, -1) : value;
}

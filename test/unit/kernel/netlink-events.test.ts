// Frames of the helper and messages of the kernel as events: in whatever pieces they come, and whatever bytes they are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameReader, type NetlinkEvent } from '../../../src/kernel/netlink-events.ts';
import { parseLinkStats } from '../../../src/rtnl/link-stats.ts';
import { MessageWriter } from '../../../src/rtnl/message.ts';
import { parseNotifications } from '../../../src/rtnl/notification.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const NLM_F_MULTI = 2;

function frame(place: number, kind: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(payload.length, 0);
  head.writeUInt32LE(place, 4);
  head.writeUInt32LE(kind, 8);
  return Buffer.concat([head, payload]);
}

/** A link message; AF_BRIDGE is family 7. */
function link(type: number, ifname: string, { family = 0, flags = 0 } = {}): Buffer {
  const writer = new MessageWriter();
  const payload = (w: MessageWriter): void => {
    w.u8(family);
    w.zeros(3);
    w.u32(3);
    w.u32(1);
    w.u32(0);
    w.attrString(3, ifname);
  };
  writer.message({ type, payload }, flags, 0);
  return writer.take();
}

const datagram = Buffer.concat([
  link(RTM_NEWLINK, 'eth0', { flags: NLM_F_MULTI }),
  link(RTM_DELLINK, 'eth1'),
]);
const stream = Buffer.concat([
  frame(4, 0, datagram),
  frame(0, 3, Buffer.alloc(0)),
  frame(2, 1, Buffer.alloc(0)),
  frame(2, 2, Buffer.alloc(0)),
]);

function shown(events: readonly NetlinkEvent[]): unknown[] {
  return events.map((event) =>
    event.kind === 'change'
      ? [event.place, event.change.kind, event.change.deleted, event.change.dumped]
      : [event.kind, 'place' in event ? event.place : ''],
  );
}

test('frames are whole whatever pieces they come in', () => {
  const expected = [
    [4, 'link', false, true],
    [4, 'link', true, false],
    ['ready', ''],
    ['lost', 2],
    ['gone', 2],
  ];
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
      const reader = new FrameReader();
      const events: NetlinkEvent[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const size = sizes[i % sizes.length] ?? 1;
        events.push(...reader.take(stream.subarray(at, at + size)));
        at += size;
      }
      assert.deepEqual(shown(events), expected);
    }),
  );
});

test('what a bridge tells of its ports is not taken for the end of a link', () => {
  assert.deepEqual(parseNotifications(link(RTM_DELLINK, 'p1', { family: 7 })), []);
  assert.equal(parseNotifications(link(RTM_DELLINK, 'p1')).length, 1);
});

test('no bytes make the readers fail', () => {
  const types = [16, 17, 20, 21, 24, 25, 28, 29, 32, 2, 3];
  const message = fc
    .tuple(fc.constantFrom(...types), fc.uint8Array({ maxLength: 120 }))
    .map(([type, payload]) => {
      const writer = new MessageWriter();
      writer.message({ type, payload }, 0, 0);
      return writer.take();
    });
  fc.assert(
    fc.property(fc.array(fc.oneof(message, fc.uint8Array({ maxLength: 60 }))), (parts) => {
      for (const one of parseNotifications(Buffer.concat(parts))) assert.ok(one.kind.length > 0);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseLinkStats(Buffer.from(bytes))),
  );
});

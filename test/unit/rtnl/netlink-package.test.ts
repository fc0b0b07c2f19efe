// The netlink package reads our messages: a second opinion that was generated from the kernel's headers by others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MessageType } from 'netlink/dist/rt/gen_structs.js';
import { parseBridge, parseInfo, parseVxlan } from 'netlink/dist/rt/ifla.js';
import {
  parseAddressMessage,
  parseLinkMessage,
  parseNeighborMessage,
  parseRouteMessage,
  parseRuleMessage,
} from 'netlink/dist/rt/structs.js';
import { parseMessages } from 'netlink/dist/structs.js';
import { addressOf, ipToBytes, prefixLength } from '../../../src/base/ip.ts';
import { macToBytes } from '../../../src/base/names.ts';
import { newAddress } from '../../../src/rtnl/addr.ts';
import { newLink } from '../../../src/rtnl/link.ts';
import { newNeighbour } from '../../../src/rtnl/neigh.ts';
import { newRoute } from '../../../src/rtnl/route.ts';
import * as numbers from '../../../src/rtnl/rtnetlink.ts';
import { newRule } from '../../../src/rtnl/rule.ts';
import { ifindex, ifname, ipAddress, ipInterface, ipv4, ipv4Prefix, mac, u16, u32 } from './arbitrary.ts';
import { bytesOf, payloadOf } from './canonical.ts';

const bytes = (value: Uint8Array | undefined): number[] => [...(value ?? [])];

test('the message types are those of the package', () => {
  const ours = Object.entries(numbers).filter(([name]) => name.startsWith('RTM_'));
  assert.ok(ours.length > 15);
  for (const [name, number] of ours) {
    assert.equal(number, MessageType[name.slice(4) as keyof typeof MessageType], name);
  }
});

test('the package splits a message as we put it together', () => {
  const [message, ...rest] = parseMessages(bytesOf({ type: 20, flags: 0x600, payload: Buffer.alloc(9, 7) }));
  assert.deepEqual(rest, []);
  assert.deepEqual([message?.type, message?.flags, message?.data.length], [20, 0x601, 9]);
});

test('the package reads a link with a veth peer', () => {
  fc.assert(
    fc.property(ifname, ifindex, mac, u32, (name, index, address, mtu) => {
      const { data, attrs } = parseLinkMessage(
        payloadOf(
          newLink({
            ifname: name,
            ifindex: index,
            mac: address,
            mtu,
            up: true,
            info: { kind: 'veth', peer: { ifname: 'p', ifindex: 7, netnsFd: 5 } },
          }),
        ),
      );
      assert.deepEqual([data.index, data.flags?.up, attrs.ifname, attrs.mtu], [index, true, name, mtu]);
      assert.deepEqual(bytes(attrs.address), [...macToBytes(address)]);
      const info = parseInfo(attrs.linkinfo ?? Buffer.alloc(0));
      assert.equal(info.kind, 'veth');
      // VETH_INFO_PEER is an attribute around a whole link message.
      const peer = parseLinkMessage((info.data ?? Buffer.alloc(0)).subarray(4));
      assert.deepEqual([peer.data.index, peer.attrs.ifname, peer.attrs.netNsFd], [7, 'p', 5]);
    }),
  );
});

test('the package reads the data of a bridge and of a vxlan', () => {
  fc.assert(
    fc.property(u32, u16, ipv4, (number, short, address) => {
      const dataOf = (request: ReturnType<typeof newLink>): Buffer => {
        const { attrs } = parseLinkMessage(payloadOf(request));
        return parseInfo(attrs.linkinfo ?? Buffer.alloc(0)).data ?? Buffer.alloc(0);
      };
      const bridge = parseBridge(
        dataOf(newLink({ info: { kind: 'bridge', ageing_time: number, priority: short, stp_state: 1 } })),
      );
      assert.equal(bridge.ageingTime?.readUInt32LE(), number);
      assert.equal(bridge.priority?.readUInt16LE(), short);
      assert.equal(bridge.stpState?.readUInt32LE(), 1);
      const vxlan = parseVxlan(
        dataOf(newLink({ info: { kind: 'vxlan', id: number, port: short, local: address, learning: true } })),
      );
      assert.deepEqual([vxlan.id, vxlan.port?.readUInt16BE(), vxlan.learning], [number, short, 1]);
      assert.deepEqual(bytes(vxlan.local), [...ipToBytes(address)]);
    }),
  );
});

test('the package reads an address', () => {
  fc.assert(
    fc.property(ifindex, ipInterface, (index, address) => {
      const { data, attrs } = parseAddressMessage(
        payloadOf(newAddress({ ifindex: index, address, nodad: true })),
      );
      assert.deepEqual([data.index, data.prefixlen, data.flags?.nodad], [index, prefixLength(address), true]);
      assert.deepEqual(bytes(attrs.local), [...ipToBytes(addressOf(address))]);
      assert.deepEqual(bytes(attrs.address), bytes(attrs.local));
    }),
  );
});

test('the package reads a route, a rule and a neighbour', () => {
  fc.assert(
    fc.property(ipv4Prefix, ipv4, ifindex, u32, (prefix, via, dev, number) => {
      const table = Math.max(number, 256);
      const route = parseRouteMessage(payloadOf(newRoute({ to: prefix, via, dev, table, metric: number })));
      assert.deepEqual(
        [route.data.dstLen, route.attrs.oif, route.attrs.table, route.attrs.priority],
        [prefixLength(prefix), dev, table, number],
      );
      assert.deepEqual(bytes(route.attrs.dst), [...ipToBytes(addressOf(prefix))]);
      assert.deepEqual(bytes(route.attrs.gateway), [...ipToBytes(via)]);
      const rule = parseRuleMessage(
        payloadOf(
          newRule({ family: 2, from: prefix, action: 'table', table, priority: number, iif: 'eth0' }),
        ),
      );
      assert.deepEqual(
        [rule.data.srcLen, rule.attrs.table, rule.attrs.priority, rule.attrs.iifname],
        [prefixLength(prefix), table, number, 'eth0'],
      );
    }),
  );
  fc.assert(
    fc.property(ipAddress, mac, ifindex, (address, lladdr, dev) => {
      const { data, attrs } = parseNeighborMessage(
        payloadOf(newNeighbour({ ifindex: dev, address, lladdr })),
      );
      assert.equal(data.ifindex, dev);
      assert.deepEqual(bytes(attrs.dst), [...ipToBytes(address)]);
      assert.deepEqual(bytes(attrs.lladdr), [...macToBytes(lladdr)]);
    }),
  );
});

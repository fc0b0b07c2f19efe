// What all links have in common, the veth pair, and what the kernel honours in the message that makes a link.

import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import type { MacAddress } from '../../src/base/names.ts';
import {
  addAltnames,
  delAltnames,
  delLink,
  delLinkGroup,
  getLink,
  getLinks,
  newLink,
  setLink,
} from '../../src/rtnl/link.ts';
import { writeAddrGenMode } from '../../src/rtnl/link-attributes.ts';
import type { LinkInfo } from '../../src/rtnl/linkinfo/linkinfo.ts';
import type { Request } from '../../src/rtnl/message.ts';
import { getNsid, setNsid } from '../../src/rtnl/nsid.ts';
import { NETLINK_ROUTE, Transport } from '../../src/rtnl/transport.ts';
import { createTun } from '../../src/rtnl/tun.ts';
import { type Json, type ThrowawayNetns, throwawayNetns } from '../support/netns.ts';
import { skipKernelLacks, skipUnlessLinkKind, skipUnlessRoot } from '../support/skip.ts';

const mac = (text: string): MacAddress => text as MacAddress;
const open = (ns: ThrowawayNetns): Transport => ns.inside(() => Transport.open(NETLINK_ROUTE));
const veth = (peer: string): LinkInfo => ({ kind: 'veth', peer: { ifname: peer } });
const bridge: LinkInfo = { kind: 'bridge' };

/** A descriptor of the namespace for IFLA_NET_NS_FD. */
class NetnsFd implements Disposable {
  readonly fd: number;
  constructor(ns: ThrowawayNetns) {
    this.fd = openSync(ns.path, 'r');
  }
  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

function show(ns: ThrowawayNetns, name: string): Json {
  return ns.ip(`-d link show dev ${name}`)[0];
}

test('a veth pair is born in two namespaces by one message, with every attribute of either end', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using near = await throwawayNetns('t-rtnl');
  await using far = await throwawayNetns('t-rtnl');
  using there = new NetnsFd(far);
  using transport = open(near);
  transport.request(newLink({ ifname: 'br0', ifindex: 5000, info: bridge }));
  transport.request(
    newLink({
      ifname: 'a0',
      ifindex: 5001,
      mac: mac('02:00:00:00:00:0a'),
      mtu: 1400,
      master: 5000,
      up: true,
      group: 77,
      txqlen: 123,
      numTxQueues: 1,
      numRxQueues: 1,
      info: {
        kind: 'veth',
        peer: {
          ifname: 'b0',
          ifindex: 6001,
          netnsFd: there.fd,
          mac: mac('02:00:00:00:00:0b'),
          mtu: 1300,
          group: 78,
          txqlen: 456,
          numTxQueues: 1,
          numRxQueues: 1,
        },
      },
    }),
  );
  const a = show(near, 'a0');
  assert.deepEqual(
    [
      a.ifindex,
      a.link_index,
      a.address,
      a.mtu,
      a.master,
      a.group,
      a.txqlen,
      a.num_tx_queues,
      a.num_rx_queues,
    ],
    [5001, 6001, '02:00:00:00:00:0a', 1400, 'br0', '77', 123, 1, 1],
  );
  assert.ok(a.flags.includes('UP'));
  const b = show(far, 'b0');
  assert.deepEqual(
    [b.ifindex, b.link_index, b.address, b.mtu, b.group, b.txqlen, b.num_tx_queues, b.num_rx_queues],
    [6001, 5001, '02:00:00:00:00:0b', 1300, '78', 456, 1, 1],
  );
  assert.ok(!b.flags.includes('UP'));

  const read = getLink(transport, { ifname: 'a0' });
  assert.deepEqual(
    [read?.ifindex, read?.link, read?.mac, read?.mtu, read?.master, read?.group, read?.txqlen, read?.up],
    [5001, 6001, '02:00:00:00:00:0a', 1400, 5000, 77, 123, true],
  );
  assert.equal(read?.kind, 'veth');
  assert.equal(read?.slaveKind, 'bridge');
  assert.equal(read?.linkNetnsid, getNsid(transport, there.fd));
});

test('a link can be born in another namespace, and be moved into one', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using near = await throwawayNetns('t-rtnl');
  await using far = await throwawayNetns('t-rtnl');
  using there = new NetnsFd(far);
  using transport = open(near);
  transport.request(newLink({ ifname: 'born', netnsFd: there.fd, info: bridge }));
  assert.equal(show(far, 'born').ifname, 'born');
  assert.equal(getLink(transport, { ifname: 'born' }), undefined);
  transport.request(newLink({ ifname: 'v0', ifindex: 50, info: veth('v1') }));
  transport.request(setLink({ ifindex: 50 }, { netnsFd: there.fd, ifname: 'moved' }));
  assert.equal(show(far, 'moved').linkinfo.info_kind, 'veth');
  assert.equal(getLink(transport, { ifindex: 50 }), undefined);
});

test('a macvlan is born in another namespace than its parent', async (t) => {
  if (skipUnlessRoot(t) || skipUnlessLinkKind(t, 'macvlan')) return;
  await using near = await throwawayNetns('t-rtnl');
  await using far = await throwawayNetns('t-rtnl');
  using there = new NetnsFd(far);
  using transport = open(near);
  transport.request(newLink({ ifname: 'v0', ifindex: 50, info: veth('v1') }));
  transport.request(
    newLink({ ifname: 'm0', link: 50, netnsFd: there.fd, info: { kind: 'macvlan', mode: 'bridge' } }),
  );
  const shown = show(far, 'm0');
  assert.equal(shown.link_index, 50);
  assert.equal(shown.linkinfo.info_data.mode, 'bridge');
});

test('addr_gen_mode is refused in the message that makes a link', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = open(ns);
  const { type, flags, payload } = newLink({ ifname: 'x', info: bridge });
  const withMode: Request = {
    type,
    flags: flags ?? 0,
    payload(writer) {
      if (typeof payload === 'function') payload(writer);
      writeAddrGenMode(writer, 'none');
    },
  };
  assert.equal(transport.batch([withMode])[0]?.code, 'EAFNOSUPPORT');
});

test('addr_gen_mode none, set before a link goes up, leaves it without IPv6 address and without a packet', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = open(ns);
  const ends = [50, 51, 60, 61];
  transport.request(
    newLink({ ifname: 'a', ifindex: 50, info: { kind: 'veth', peer: { ifname: 'b', ifindex: 51 } } }),
  );
  transport.request(
    newLink({ ifname: 'c', ifindex: 60, info: { kind: 'veth', peer: { ifname: 'd', ifindex: 61 } } }),
  );
  for (const ifindex of [50, 51]) transport.request(setLink({ ifindex }, { addrGenMode: 'none' }));
  for (const ifindex of ends) transport.request(setLink({ ifindex }, { up: true }));
  assert.equal(show(ns, 'a').inet6_addr_gen_mode, 'none');
  assert.equal(getLink(transport, { ifindex: 50 })?.addrGenMode, 'none');
  // The pair beside, left as it was, has its addresses and has sent for them: so would this one by now.
  const packets = (name: string): number => ns.ip(`-s link show dev ${name}`)[0].stats64.tx.packets;
  const linkLocal = (name: string): Json => ns.ip(`-6 addr show dev ${name}`)[0]?.addr_info?.[0]?.local;
  for (let i = 0; packets('c') === 0 || packets('d') === 0; i++)
    assert.ok(i < 1000, 'no packet on the other pair');
  assert.match(linkLocal('c'), /^fe80:/);
  assert.deepEqual(
    [linkLocal('a'), linkLocal('b'), packets('a'), packets('b')],
    [undefined, undefined, 0, 0],
  );
});

test('every attribute that can be changed is changed', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = open(ns);
  transport.request(newLink({ ifname: 'br0', ifindex: 40, info: bridge }));
  transport.request(newLink({ ifname: 'v0', ifindex: 50, info: veth('v1') }));
  transport.request(
    setLink(
      { ifindex: 50 },
      {
        ifname: 'renamed',
        mac: mac('02:00:00:00:00:33'),
        mtu: 1234,
        master: 40,
        txqlen: 7,
        group: 9,
        alias: 'zu Hause',
        up: true,
      },
    ),
  );
  const link = show(ns, 'renamed');
  assert.deepEqual(
    [link.address, link.mtu, link.master, link.txqlen, link.group, link.ifalias],
    ['02:00:00:00:00:33', 1234, 'br0', 7, '9', 'zu Hause'],
  );
  assert.ok(link.flags.includes('UP'));
  assert.equal(getLink(transport, { ifindex: 50 })?.alias, 'zu Hause');
  transport.request(setLink({ ifindex: 50 }, { up: false, master: 0, alias: '' }));
  const after = show(ns, 'renamed');
  assert.ok(!after.flags.includes('UP'));
  assert.deepEqual([after.master, after.ifalias], [undefined, undefined]);
});

test('a link has further names of up to 127 bytes, and is found by each', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = open(ns);
  const long = 'n'.repeat(127);
  transport.request(newLink({ ifname: 'x0', ifindex: 50, info: bridge }));
  transport.request(addAltnames({ ifindex: 50 }, [long, 'short']));
  assert.deepEqual(show(ns, 'x0').altnames, [long, 'short']);
  assert.equal(getLink(transport, { ifname: long })?.ifindex, 50);
  assert.deepEqual(getLink(transport, { ifname: long })?.altnames, [long, 'short']);
  assert.equal(transport.batch([addAltnames({ ifindex: 50 }, [long])])[0]?.code, 'EEXIST');
  transport.request(delAltnames({ ifname: long }, ['short']));
  assert.deepEqual(show(ns, 'x0').altnames, [long]);
});

test('deleting a group deletes its links and no other, and group 0 is refused', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = open(ns);
  const requests = [1, 2, 3].map((i) => newLink({ ifname: `g${i}`, group: i === 3 ? 6 : 5, info: bridge }));
  assert.deepEqual(transport.batch(requests), [undefined, undefined, undefined]);
  transport.request(delLinkGroup(5));
  assert.deepEqual(
    ns.ip('link').map((link: Json) => link.ifname),
    ['lo', 'g3'],
  );
  assert.equal(transport.batch([delLinkGroup(0)])[0]?.code, 'EPERM');
  assert.equal(transport.batch([delLinkGroup(5)])[0]?.code, 'ENODEV');
});

test('deleting one end of a veth deletes the other', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = open(ns);
  transport.request(newLink({ ifname: 'v0', info: veth('v1') }));
  transport.request(delLink({ ifname: 'v1' }));
  assert.deepEqual(
    getLinks(transport).map((link) => link.ifname),
    ['lo'],
  );
});

test('a dump can be narrowed to the ports of one bridge', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = open(ns);
  transport.request(newLink({ ifname: 'br0', ifindex: 40, info: bridge }));
  for (let i = 0; i < 3; i++)
    transport.request(newLink({ ifname: `p${i}`, master: 40, info: veth(`q${i}`) }));
  assert.deepEqual(
    getLinks(transport, { master: 40 }).map((link) => link.ifname),
    ['p0', 'p1', 'p2'],
  );
  assert.equal(getLinks(transport).length, 8);
});

test('a namespace is given a number, once', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using near = await throwawayNetns('t-rtnl');
  await using far = await throwawayNetns('t-rtnl');
  using there = new NetnsFd(far);
  using transport = open(near);
  assert.equal(getNsid(transport, there.fd), undefined);
  transport.request(setNsid(there.fd, 42));
  assert.equal(getNsid(transport, there.fd), 42);
  assert.deepEqual(
    near.ip('netns list-id').map(({ nsid, name }: Json) => [nsid, name]),
    [[42, far.name]],
  );
  assert.equal(transport.batch([setNsid(there.fd, 43)])[0]?.code, 'EEXIST');
});

/** The node of the tun module; opening it loads the module where there is one. */
function skipUnlessTun(t: TestContext): boolean {
  try {
    closeSync(openSync('/dev/net/tun', 'r+'));
    return false;
  } catch {
    skipKernelLacks(t, 'tun');
    return true;
  }
}

for (const mode of ['tun', 'tap'] as const) {
  test(`a ${mode} device is made with its owner, stays, and shows its settings`, async (t) => {
    if (skipUnlessRoot(t) || skipUnlessTun(t)) return;
    await using ns = await throwawayNetns('t-rtnl');
    using transport = open(ns);
    ns.inside(() =>
      createTun({ ifname: 't0', mode, ifindex: 50, uid: 54321, gid: 54322, vnetHdr: true, multiQueue: true }),
    );
    const link = show(ns, 't0');
    assert.equal(link.ifindex, 50);
    assert.equal(link.linkinfo.info_kind, 'tun');
    const data = link.linkinfo.info_data;
    assert.deepEqual(
      [
        data.type,
        data.pi,
        data.vnet_hdr,
        data.multi_queue,
        data.persist,
        Number(data.user),
        Number(data.group),
      ],
      [mode, false, true, true, true, 54321, 54322],
    );
    assert.deepEqual(getLink(transport, { ifindex: 50 })?.info, {
      kind: 'tun',
      user: 54321,
      group: 54322,
      type: mode,
      pi: false,
      vnet_hdr: true,
      persist: true,
      multi_queue: true,
    });
    assert.throws(() => ns.inside(() => createTun({ ifname: 't0', mode })), { code: 'EBUSY' });
    assert.throws(
      () => ns.inside(() => createTun({ ifname: 'a-name-of-16-byt', mode })),
      /longer than 15 bytes/,
    );
    transport.request(delLink({ ifname: 't0' }));
  });
}

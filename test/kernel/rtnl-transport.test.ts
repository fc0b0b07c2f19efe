// The transport against the kernel: namespaces, batches, refusals in their middle, dumps that change.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { IpAddress, IpInterface, IpPrefix } from '../../src/base/ip.ts';
import { newAddress } from '../../src/rtnl/addr.ts';
import { RtnlError } from '../../src/rtnl/error.ts';
import { getLinks, newLink, setLink } from '../../src/rtnl/link.ts';
import { IFLA_LINKINFO } from '../../src/rtnl/link-attributes.ts';
import { NLM_F_CREATE, type Request } from '../../src/rtnl/message.ts';
import { newRoute } from '../../src/rtnl/route.ts';
import { RTM_NEWLINK, writeIfinfomsg } from '../../src/rtnl/rtnetlink.ts';
import { NETLINK_ROUTE, Transport } from '../../src/rtnl/transport.ts';
import { throwawayNetns } from '../support/netns.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const open = (): Transport => Transport.open(NETLINK_ROUTE);
const host = (i: number): IpPrefix => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32` as IpPrefix;
const route = (i: number): Request => newRoute({ to: host(i), dev: 1 });
const loUp = setLink({ ifindex: 1 }, { up: true });

test('a transport stays in the namespace where it was opened', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  const before = readlinkSync('/proc/thread-self/ns/net');
  using transport = ns.inside(open);
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), before);
  transport.request(newLink({ ifname: 'only-there', info: { kind: 'bridge' } }));
  assert.equal(ns.ip('link show dev only-there')[0].ifname, 'only-there');
  assert.throws(() => execFileSync('ip', ['link', 'show', 'dev', 'only-there'], { stdio: 'ignore' }));
});

test('5000 requests in one batch are all done, in order', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = ns.inside(open);
  const requests = [loUp, ...Array.from({ length: 4999 }, (_, i) => route(i))];
  const start = performance.now();
  const results = transport.batch(requests);
  t.diagnostic(`${((performance.now() - start) / 5).toFixed(1)} us a request`);
  assert.equal(results.length, 5000);
  assert.deepEqual(
    results.filter((failure) => failure !== undefined),
    [],
  );
  const routes = ns.ip('route');
  assert.equal(routes.length, 4999);
  assert.equal(routes[4998].dst, '10.0.19.134');
});

test('refusals in the middle of a batch are told apart, and what follows them is done', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = ns.inside(open);
  const requests = [loUp, ...Array.from({ length: 1000 }, (_, i) => route(i % 7 === 3 ? 3 : i))];
  const refused = transport
    .batch(requests)
    .flatMap((failure, i) => (failure === undefined ? [] : [[i - 1, failure.code]]));
  const expected = Array.from({ length: 1000 }, (_, i) => i).filter((i) => i % 7 === 3 && i !== 3);
  assert.deepEqual(
    refused,
    expected.map((i) => [i, 'EEXIST']),
  );
  assert.equal(ns.ip('route').length, 1000 - expected.length);
});

test('a batch of nothing but refusals loses none of their answers', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = ns.inside(open);
  const bad = newAddress({ ifindex: 1, address: '10.0.0.1/24' as IpInterface, label: 'not-a-prefix-of-lo' });
  const results = transport.batch(Array.from({ length: 3000 }, () => bad));
  assert.equal(
    results.filter((failure) => failure?.code === 'ERANGE' || failure?.code === 'EINVAL').length,
    3000,
  );
});

test('stopOnError leaves undone what follows the refusal', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = ns.inside(open);
  const results = transport.batch([loUp, route(1), route(2), route(1), route(4)], { stopOnError: true });
  assert.deepEqual(
    results.map((failure) => failure?.code),
    [undefined, undefined, undefined, 'EEXIST'],
  );
  assert.deepEqual(
    ns.ip('route').map(({ dst }: { dst: string }) => dst),
    ['10.0.0.1', '10.0.0.2'],
  );
});

/** Adds and removes links in a namespace until its stdin is closed, and says so when it is at work. */
function churn(name: string): { ready: Promise<unknown>; stop: () => Promise<void> } {
  const script = [
    'i=0; while [ $i -lt 40 ]; do echo "link add c$i type bridge"; i=$((i+1)); done > "$1"',
    'i=0; while [ $i -lt 40 ]; do echo "link del c$i"; i=$((i+1)); done >> "$1"',
    'echo at work; while [ ! -e "$1.stop" ]; do ip -n "$0" -batch "$1"; done',
  ].join('\n');
  const folder = mkdtempSync(join(tmpdir(), 'nslab-rtnl-'));
  const file = join(folder, 'batch');
  const child = spawn('sh', ['-c', script, name, file], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'exit');
  return {
    ready: once(child.stdout, 'data'),
    async stop() {
      writeFileSync(`${file}.stop`, '');
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

test('2000 links are dumped while another process adds and removes links: whole, or an error that says so', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = ns.inside(open);
  const pair = (i: number): Request =>
    newLink({
      ifname: `a${i}`,
      numTxQueues: 1,
      numRxQueues: 1,
      info: { kind: 'veth', peer: { ifname: `b${i}`, numTxQueues: 1, numRxQueues: 1 } },
    });
  assert.deepEqual(
    transport
      .batch(Array.from({ length: 1000 }, (_, i) => pair(i)))
      .filter((failure) => failure !== undefined),
    [],
  );
  const quiet = performance.now();
  assert.equal(getLinks(transport).length, 2001);
  t.diagnostic(`2001 links dumped and read in ${(performance.now() - quiet).toFixed(0)} ms`);

  const other = churn(ns.name);
  await other.ready;
  let whole = 0;
  let refused = 0;
  try {
    for (let i = 0; i < 25; i++) {
      try {
        const names = new Set(getLinks(transport).map((link) => link.ifname));
        for (let n = 0; n < 1000; n++)
          assert.ok(names.has(`a${n}`) && names.has(`b${n}`), `pair ${n} is missing`);
        whole++;
      } catch (error) {
        if (!(error instanceof RtnlError)) throw error;
        assert.equal(error.code, 'EINTR');
        assert.match(error.message, /NLM_F_DUMP_INTR/);
        refused++;
      }
      // The other process needs the processor as well.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    await other.stop();
  }
  t.diagnostic(`${whole} dumps whole, ${refused} given up after five rounds`);
  assert.equal(whole + refused, 25);
  // The socket is good for more, whatever happened.
  assert.equal(getLinks(transport).filter((link) => /^[ab]\d/.test(link.ifname)).length, 2000);
});

test('a transport that was closed has closed its descriptor', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  const count = (): number => readdirSync('/proc/self/fd').length;
  const before = count();
  for (let i = 0; i < 50; i++) ns.inside(open).close();
  assert.equal(count(), before);
});

type Refusal = {
  readonly of: string;
  readonly request: Request;
  readonly code: string;
  readonly words: RegExp;
};

const ip = (text: string): IpAddress => text as IpAddress;
const onLink = (text: string): IpInterface => text as IpInterface;

const refusals: readonly Refusal[] = [
  {
    of: 'an unknown kind of link',
    request: {
      type: RTM_NEWLINK,
      flags: NLM_F_CREATE,
      payload(writer) {
        writeIfinfomsg(writer, {});
        const linkinfo = writer.nest(IFLA_LINKINFO);
        writer.attrString(1, 'nonsense');
        writer.endNest(linkinfo);
      },
    },
    code: 'EOPNOTSUPP',
    words: /Unknown device type/,
  },
  {
    of: 'a prefix of 33 bits',
    request: newAddress({ ifindex: 1, address: onLink('10.0.0.1/33') }),
    code: 'EINVAL',
    // Kernels before 6.6 say nothing more.
    words: /^(ipv4: Invalid prefix length|)$/,
  },
  {
    of: 'an address of a link that is not there',
    request: newAddress({ ifindex: 4711, address: onLink('10.0.0.1/24') }),
    code: 'ENODEV',
    words: /^(ipv4: Device not found|)$/,
  },
  {
    of: 'the same address twice',
    request: newAddress({ ifindex: 1, address: onLink('10.9.9.9/24') }),
    code: 'EEXIST',
    words: /^(ipv4: Address already assigned|)$/,
  },
  {
    of: 'a gateway outside every subnet',
    request: newRoute({ to: 'default', via: ip('192.0.2.1') }),
    code: 'ENETUNREACH',
    words: /Nexthop has invalid gateway/,
  },
  {
    of: 'a route out of a link that is not there',
    request: newRoute({ to: '10.1.0.0/16' as IpPrefix, dev: 4711 }),
    code: 'ENODEV',
    words: /^(ipv4: |Device |)/,
  },
  {
    of: 'a destination with host bits',
    request: newRoute({ to: '10.1.2.3/16' as IpPrefix, dev: 1 }),
    code: 'EINVAL',
    words: /Invalid prefix for given prefix length/,
  },
  {
    of: 'an MTU under the least',
    request: setLink({ ifname: 'br0' }, { mtu: 1 }),
    code: 'EINVAL',
    words: /mtu less than device minimum/,
  },
  {
    of: 'a link as its own master',
    request: setLink({ ifname: 'br0' }, { master: 5 }),
    code: 'ELOOP',
    words: /Can not enslave a bridge to a bridge/,
  },
  {
    of: 'a vxlan id that is too large',
    request: newLink({ ifname: 'vx', info: { kind: 'vxlan', id: 1 << 24, port: 4789 } }),
    code: 'ERANGE',
    words: /VXLAN ID|VNI/,
  },
  {
    of: 'a change of a link that is not there',
    request: setLink({ ifindex: 4711 }, { up: true }),
    code: 'ENODEV',
    words: /^$/,
  },
];

for (const { of, request, code, words } of refusals) {
  test(`${of} is refused with ${code} and the kernel's words`, async (t) => {
    if (skipUnlessRoot(t)) return;
    await using ns = await throwawayNetns('t-rtnl');
    using transport = ns.inside(open);
    transport.request(loUp);
    transport.request(newLink({ ifname: 'br0', ifindex: 5, up: true, info: { kind: 'bridge' } }));
    transport.request(newAddress({ ifindex: 1, address: onLink('10.9.9.9/24') }));
    const [failure] = transport.batch([request]);
    assert.equal(failure?.code, code);
    assert.match(failure.message, words);
    t.diagnostic(failure.message);
  });
}

// WireGuard over generic netlink. wg(8) is not asked, since it is not there everywhere: two links talk to each other, and the
// kernel's own dump is read back.

import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { IpAddress, IpInterface } from '../../src/base/ip.ts';
import { newAddress } from '../../src/rtnl/addr.ts';
import { findGenlFamily } from '../../src/rtnl/genl.ts';
import { newLink, setLink } from '../../src/rtnl/link.ts';
import { NETLINK_GENERIC, NETLINK_ROUTE, Transport } from '../../src/rtnl/transport.ts';
import { findWireguard, getWireguard, setWireguard, type WireguardPeer } from '../../src/rtnl/wireguard.ts';
import { throwawayNetns } from '../support/netns.ts';
import { skipUnlessLinkKind, skipUnlessRoot } from '../support/skip.ts';

type KeyPair = { readonly privateKey: string; readonly publicKey: string };

/** X25519 keys as wg(8) writes them: the last 32 bytes of the DER forms. */
function keyPair(): KeyPair {
  const { privateKey } = generateKeyPairSync('x25519');
  const secret = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32);
  const open = createPublicKey(createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })));
  const shown = open.export({ type: 'spki', format: 'der' }).subarray(-32);
  // The kernel clamps the private key (RFC 7748), and shows it clamped.
  const clamped = Buffer.from(secret);
  clamped[0] = (clamped[0] ?? 0) & 248;
  clamped[31] = ((clamped[31] ?? 0) & 127) | 64;
  return { privateKey: clamped.toString('base64'), publicKey: shown.toString('base64') };
}

const on = (text: string): IpInterface => text as IpInterface;
const ip = (text: string): IpAddress => text as IpAddress;

test('generic netlink finds its families by name, and a family that is not there is undefined', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using genl = ns.inside(() => Transport.open(NETLINK_GENERIC));
  assert.equal(findGenlFamily(genl, 'nlctrl')?.id, 16);
  assert.equal(findGenlFamily(genl, 'no-such-family'), undefined);
});

test('a configuration is read back as it was given, and replaced as a whole', async (t) => {
  if (skipUnlessRoot(t) || skipUnlessLinkKind(t, 'wireguard')) return;
  await using ns = await throwawayNetns('t-rtnl');
  using route = ns.inside(() => Transport.open(NETLINK_ROUTE));
  using genl = ns.inside(() => Transport.open(NETLINK_GENERIC));
  route.request(newLink({ ifname: 'wg0', ifindex: 50, info: { kind: 'wireguard' } }));
  const family = findWireguard(genl);
  assert.ok(family !== undefined);
  const own = keyPair();
  const peers: WireguardPeer[] = [
    {
      publicKey: keyPair().publicKey,
      presharedKey: Buffer.alloc(32, 7).toString('base64'),
      endpoint: { address: ip('10.0.0.9'), port: 51821 },
      persistentKeepalive: 25,
      allowedIps: [on('10.9.0.0/16'), on('2001:db8::/32'), on('0.0.0.0/0')],
    },
    {
      publicKey: keyPair().publicKey,
      endpoint: { address: ip('2001:db8::9'), port: 1 },
      allowedIps: [],
    },
    { publicKey: keyPair().publicKey, allowedIps: [on('192.0.2.1/32')] },
  ];
  const config = { ifindex: 50, privateKey: own.privateKey, listenPort: 51820, fwmark: 66, peers };
  assert.ok(genl.batch(setWireguard(family, config)).every((failure) => failure === undefined));

  const read = getWireguard(genl, family, 50);
  assert.deepEqual(
    [read.ifname, read.privateKey, read.publicKey, read.listenPort, read.fwmark],
    ['wg0', own.privateKey, own.publicKey, 51820, 66],
  );
  const sorted = (ips: readonly string[]): string[] => [...ips].sort();
  assert.equal(read.peers.length, 3);
  for (const peer of peers) {
    const found = read.peers.find(({ publicKey }) => publicKey === peer.publicKey);
    assert.deepEqual(found?.presharedKey, peer.presharedKey);
    assert.deepEqual(found?.endpoint, peer.endpoint);
    assert.equal(found?.persistentKeepalive ?? 0, peer.persistentKeepalive ?? 0);
    assert.deepEqual(sorted(found?.allowedIps ?? []), sorted(peer.allowedIps));
    assert.equal(found?.lastHandshake, 0);
  }

  const [first] = peers;
  assert.ok(first !== undefined);
  const fewer = { ...config, peers: [{ ...first, allowedIps: [on('10.8.0.0/16')] }] };
  assert.ok(genl.batch(setWireguard(family, fewer)).every((failure) => failure === undefined));
  assert.deepEqual(
    getWireguard(genl, family, 50).peers.map(({ publicKey, allowedIps }) => [publicKey, allowedIps]),
    [[first.publicKey, ['10.8.0.0/16']]],
  );
});

test('300 peers, one of them with 3000 allowed addresses, take several messages and come back whole', async (t) => {
  if (skipUnlessRoot(t) || skipUnlessLinkKind(t, 'wireguard')) return;
  await using ns = await throwawayNetns('t-rtnl');
  using route = ns.inside(() => Transport.open(NETLINK_ROUTE));
  using genl = ns.inside(() => Transport.open(NETLINK_GENERIC));
  route.request(newLink({ ifname: 'wg0', ifindex: 50, info: { kind: 'wireguard' } }));
  const family = findWireguard(genl);
  assert.ok(family !== undefined);
  const allowed = Array.from({ length: 3000 }, (_, i) => on(`10.200.${i >> 8}.${i & 255}/32`));
  const peers = Array.from({ length: 300 }, (_, i): WireguardPeer => {
    const key = Buffer.alloc(32);
    key.writeUInt32LE(i + 1);
    return {
      publicKey: key.toString('base64'),
      allowedIps: i === 150 ? allowed : [on(`10.1.${i >> 8}.${i & 255}/32`)],
    };
  });
  const requests = setWireguard(family, { ifindex: 50, privateKey: keyPair().privateKey, peers });
  assert.ok(requests.length > 3);
  assert.ok(genl.batch(requests).every((failure) => failure === undefined));
  const read = getWireguard(genl, family, 50);
  assert.equal(read.peers.length, 300);
  const allRead = read.peers.flatMap(({ allowedIps }) => allowedIps).sort();
  assert.deepEqual(allRead, peers.flatMap(({ allowedIps }) => allowedIps).sort());
  const big = read.peers.find(({ publicKey }) => publicKey === peers[150]?.publicKey);
  assert.equal(big?.allowedIps.length, 3000);
});

test('two links that we configured talk to each other', async (t) => {
  if (skipUnlessRoot(t) || skipUnlessLinkKind(t, 'wireguard')) return;
  await using a = await throwawayNetns('t-rtnl');
  await using b = await throwawayNetns('t-rtnl');
  using routeA = a.inside(() => Transport.open(NETLINK_ROUTE));
  using routeB = b.inside(() => Transport.open(NETLINK_ROUTE));
  using genlA = a.inside(() => Transport.open(NETLINK_GENERIC));
  using genlB = b.inside(() => Transport.open(NETLINK_GENERIC));
  a.exec('ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1', 'netns', b.name);
  const keysA = keyPair();
  const keysB = keyPair();
  for (const [route, genl, own, other, self, peer, wire] of [
    [routeA, genlA, keysA, keysB, '1', '2', 'v0'],
    [routeB, genlB, keysB, keysA, '2', '1', 'v1'],
  ] as const) {
    const index = Number((self === '1' ? a : b).ip(`link show dev ${wire}`)[0].ifindex);
    const up = route.batch([
      newAddress({ ifindex: index, address: on(`10.0.0.${self}/24`) }),
      setLink({ ifindex: index }, { up: true }),
      newLink({ ifname: 'wg0', ifindex: 50, info: { kind: 'wireguard' } }),
      newAddress({ ifindex: 50, address: on(`10.9.0.${self}/24`) }),
    ]);
    assert.ok(up.every((failure) => failure === undefined));
    const family = findWireguard(genl);
    assert.ok(family !== undefined);
    const requests = setWireguard(family, {
      ifindex: 50,
      privateKey: own.privateKey,
      listenPort: 51820,
      peers: [
        {
          publicKey: other.publicKey,
          endpoint: { address: ip(`10.0.0.${peer}`), port: 51820 },
          allowedIps: [on(`10.9.0.${peer}/32`)],
        },
      ],
    });
    assert.ok(genl.batch(requests).every((failure) => failure === undefined));
    route.request(setLink({ ifindex: 50 }, { up: true }));
  }
  a.exec('ping', '-c', '2', '-i', '0.2', '-W', '20', '10.9.0.2');
  const family = findWireguard(genlA);
  assert.ok(family !== undefined);
  const [peer] = getWireguard(genlA, family, 50).peers;
  assert.ok((peer?.lastHandshake ?? 0) > 1_600_000_000);
  assert.ok((peer?.rxBytes ?? 0n) > 0n && (peer?.txBytes ?? 0n) > 0n);
});

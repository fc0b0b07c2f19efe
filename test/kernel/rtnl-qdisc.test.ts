// Queueing disciplines: what ours puts into the kernel is what tc(8) puts there for the same words, and what the kernel has is read back.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { IfName, NetnsName } from '../../src/base/names.ts';
import { configRequest, NoDevice } from '../../src/kernel/requests.ts';
import { impairmentOf, qdiscOf } from '../../src/model/impairment.ts';
import type { Impairment } from '../../src/model/lab.ts';
import { commandsOf } from '../../src/plan/words.ts';
import { getLink, newLink } from '../../src/rtnl/link.ts';
import { getRootQdiscs } from '../../src/rtnl/qdisc.ts';
import { NETLINK_ROUTE, Transport } from '../../src/rtnl/transport.ts';
import { type Json, type ThrowawayNetns, throwawayNetns } from '../support/netns.ts';
import { hasNetem, skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

type Op = Parameters<typeof configRequest>[0];

/** A wire `ours` - `theirs` in a namespace. */
async function wire(): Promise<{ ns: ThrowawayNetns; route: Transport }> {
  const ns = await throwawayNetns('t-qdisc');
  const route = ns.inside(() => Transport.open(NETLINK_ROUTE));
  route.request(newLink({ ifname: 'ours', info: { kind: 'veth', peer: { ifname: 'theirs' } } }));
  return { ns, route };
}

function op(ns: ThrowawayNetns, ifname: string, impairment: Impairment | null): Op {
  const qdisc = impairment === null ? null : (qdiscOf(impairment) ?? null);
  return { kind: 'setQdisc', place: ns.name as NetnsName, ifname: ifname as IfName, qdisc };
}

/** By our request. */
function set(ns: ThrowawayNetns, route: Transport, impairment: Impairment | null): void {
  const index = (_: unknown, ifname: IfName): number => {
    const link = getLink(route, { ifname });
    if (link === undefined) throw new NoDevice(ifname);
    return link.ifindex;
  };
  route.request(configRequest(op(ns, 'ours', impairment), { index }));
}

/** By the command that explain prints, on a bare device: netem keeps what tc does not name. */
function setByTc(ns: ThrowawayNetns, impairment: Impairment): void {
  const [before] = JSON.parse(ns.exec('tc', '-j', 'qdisc', 'show', 'dev', 'theirs')) as Json[];
  if (before !== undefined && before.handle !== '0:') ns.exec('tc', 'qdisc', 'del', 'dev', 'theirs', 'root');
  for (const { words } of commandsOf(op(ns, 'theirs', impairment))) ns.exec('tc', ...words);
}

function shown(ns: ThrowawayNetns, dev: string): Json {
  const [qdisc] = JSON.parse(ns.exec('tc', '-j', '-d', 'qdisc', 'show', 'dev', dev)) as Json[];
  // netem rolls a seed of its own since Linux 6.5.
  const { dev: _dev, options: { seed: _seed, ...options } = {}, ...rest } = qdisc;
  return { ...rest, options };
}

const rates: readonly Impairment[] = [
  { rate: 8 },
  { rate: 64_000 },
  { rate: 1_000_000 },
  { rate: 10_000_000 },
  { rate: 1_234_568 },
  { rate: 10_000_000_000 },
  { rate: 100_000_000_000 },
];

const netems: readonly Impairment[] = [
  { delay: 20_000 },
  { delay: 1 },
  { delay: 20_000, jitter: 2_000 },
  { delay: 200_000_000 },
  { loss: 0.01 },
  { loss: 1 },
  { corrupt: 0.001, duplicate: 0.002 },
  { delay: 5_000, reorder: 0.25 },
  { limit: 7 },
  { rate: 10_000_000, limit: 100 },
  { rate: 100_000_000_000, delay: 1_500 },
  {
    delay: 20_000,
    jitter: 2_000,
    loss: 0.031,
    corrupt: 0.01,
    duplicate: 0.05,
    reorder: 0.1,
    rate: 8_000,
    limit: 50,
  },
];

async function sameAsTc(t: TestContext, impairments: readonly Impairment[]): Promise<void> {
  if (skipUnlessRoot(t)) return;
  const { ns, route } = await wire();
  await using _ns = ns;
  using _route = route;
  for (const impairment of impairments) {
    set(ns, route, impairment);
    setByTc(ns, impairment);
    const text = JSON.stringify(impairment);
    assert.deepEqual(shown(ns, 'ours'), shown(ns, 'theirs'), text);
    const read = getRootQdiscs(route).filter(({ handle }) => handle !== 0);
    assert.equal(read.length, 2);
    for (const { qdisc } of read) {
      const seen = impairmentOf(qdisc) ?? {};
      assert.deepEqual(Object.keys(seen).sort(), Object.keys(impairment).sort(), text);
      for (const [word, value] of Object.entries(impairment)) {
        const found = seen[word as keyof Impairment] ?? 0;
        // tc counts times in ticks of 64 ns.
        const least = word === 'delay' || word === 'jitter' ? 0.064 : 1e-9;
        assert.ok(Math.abs(found - value) <= Math.max(value * 1e-6, least), `${text}: ${word} is ${found}`);
      }
    }
  }
}

test('a rate is the tbf that tc makes of the same words, and is read back', (t) => sameAsTc(t, rates));

test('delay, loss and all else are the netem that tc makes of the same words, and are read back', async (t) => {
  if (skipUnlessRoot(t)) return;
  if (!hasNetem()) {
    skipKernelLacks(t, 'netem');
    return;
  }
  await sameAsTc(t, netems);
});

test('what is set anew takes the place of all that was set, of the same kind or of another', async (t) => {
  if (skipUnlessRoot(t)) return;
  if (!hasNetem()) {
    skipKernelLacks(t, 'netem');
    return;
  }
  const { ns, route } = await wire();
  await using _ns = ns;
  using _route = route;
  const all = netems.at(-1) ?? {};
  for (const impairment of [
    all,
    { delay: 1_000 },
    { rate: 1_000_000 },
    all,
    { loss: 0.5 },
    { rate: 2_000_000 },
  ]) {
    set(ns, route, impairment);
    setByTc(ns, impairment);
    assert.deepEqual(shown(ns, 'ours'), shown(ns, 'theirs'), JSON.stringify(impairment));
  }
});

test('taken away, the device has what it was born with, and a second time is refused', async (t) => {
  if (skipUnlessRoot(t)) return;
  const { ns, route } = await wire();
  await using _ns = ns;
  using _route = route;
  const before = ns.exec('tc', '-j', 'qdisc', 'show');
  set(ns, route, { rate: 1_000_000 });
  assert.notEqual(ns.exec('tc', '-j', 'qdisc', 'show'), before);
  set(ns, route, null);
  assert.equal(ns.exec('tc', '-j', 'qdisc', 'show'), before);
  assert.throws(() => set(ns, route, null), { code: 'ENOENT' });
});

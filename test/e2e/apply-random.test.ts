// Random pairs of labs on the real kernel: one is up and becomes the other. It is what the second file asks for then, by our own
// comparison and by iproute2's; what the two have in common was not touched; and `down` leaves the machine as it was.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { NetnsName } from '../../src/base/names.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { stepsOfChange } from '../../src/lab/change.ts';
import { diffFile } from '../../src/lab/diff.ts';
import { downLab } from '../../src/lab/down.ts';
import { upLab } from '../../src/lab/up.ts';
import { namedNetns, readNetns } from '../../src/live/read.ts';
import type { Lab } from '../../src/model/lab.ts';
import { loadText } from '../../src/topology/load.ts';
import { assertLab } from '../support/assert-lab.ts';
import { patience, rounds } from '../support/emulated.ts';
import { assertUnchanged, type Fingerprint, fingerprint } from '../support/fingerprint.ts';
import { randomLabPair } from '../support/random-lab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const PAIRS = rounds(40, 5);

function parse(yaml: string): Lab {
  return loadText(yaml, { path: 'random.yaml', env: {} }).lab;
}

/** The parts of a device that cannot be another's: where it is, its kind, what it is joined to, and what it stands on. */
function identities(lab: Lab): Map<string, string> {
  const found = new Map<string, string>();
  const devices = lab.nodes.flatMap(({ place, interfaces }) => interfaces.map((iface) => ({ place, iface })));
  const identityOf = (place: string | null, ifname: string): string => {
    const iface = devices.find((one) => one.place === place && one.iface.ifname === ifname)?.iface;
    if (iface === undefined || iface.type === 'bridge') return iface?.type ?? 'none';
    const { name, mac, mtu, up, addresses, master, port, ipv6, path, altname, aliases, ...identity } = iface;
    const under =
      'link' in iface && iface.link !== undefined ? identityOf(iface.link.place, iface.link.ifname) : '';
    return `${JSON.stringify(identity)} ${under}`;
  };
  for (const { place, iface } of devices)
    found.set(`${place} ${iface.ifname}`, identityOf(place, iface.ifname));
  return found;
}

/** The index of every device, by namespace and name. */
function indexes(lab: Lab): Map<string, number> {
  const refs = lab.nodes.flatMap(({ place }) => (place === null ? [] : [namedNetns(place as NetnsName)]));
  const entries = [...readNetns(refs)].flatMap(([place, { devices }]) =>
    devices.map(({ ifname, ifindex }): [string, number] => [`${place} ${ifname}`, ifindex]),
  );
  return new Map(entries);
}

async function changeAndCheck(first: Lab, second: Lab, before: Fingerprint): Promise<void> {
  const kernel = new LinuxKernel();
  const onEvent = () => undefined;
  try {
    await upLab({ lab: first, file: '-', kernel, onEvent });
    try {
      assert.deepEqual(await diffFile(first), [], 'the first lab, just made');
      const [was, wanted, old] = [identities(first), identities(second), indexes(first)];
      const { still } = await upLab({ lab: second, file: '-', kernel, onEvent, change: true });
      assert.deepEqual(still ?? [], []);
      assert.deepEqual(await diffFile(second), []);
      assert.deepEqual(await stepsOfChange(second, kernel), [], 'nothing is left to do');
      assertLab(second);
      const now = indexes(second);
      for (const [device, identity] of wanted) {
        if (was.get(device) === identity)
          assert.equal(now.get(device), old.get(device), `${device} was made anew`);
      }
    } finally {
      downLab({ lab: second.name, kernel, onEvent });
    }
  } finally {
    kernel.close();
  }
  await assertUnchanged(before, second.name);
}

test('a random lab that is up becomes another, and what both have in common stays', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const before = await fingerprint();
  const pairs = fc.asyncProperty(randomLabPair('tapp-'), ([a, b]) =>
    changeAndCheck(parse(a), parse(b), before),
  );
  const report = await fc.check(pairs, {
    numRuns: PAIRS,
    interruptAfterTimeLimit: patience(180_000),
    markInterruptAsFailure: true,
  });
  const reason = report.errorInstance instanceof Error ? report.errorInstance.message : '';
  const [a, b] = report.counterexample?.[0] ?? [];
  const again = `seed ${report.seed}, path ${report.counterexamplePath}`;
  assert.ok(!report.failed, `${reason}\n${again}\n${a}\n--- becomes\n${b}`);
});

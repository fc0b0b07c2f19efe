// Every shipped topology on the real kernel: it comes up, is usable at once, does what its own `tests:` say and shows the point
// that it teaches (lessons.ts); afterwards the machine is as it was. Looked at with iproute2, nft and real packets.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Lab } from '../../src/model/lab.ts';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { lessons } from '../support/lessons.ts';
import { nslab, run, type UpLab, upLab } from '../support/nslab.ts';
import { probe } from '../support/probe.ts';
import { shippedTopologies, skipUnlessKernelCan } from '../support/shipped.ts';
import { skipUnlessRoot } from '../support/skip.ts';

test('every shipped topology has a lesson, and every lesson a topology', () => {
  assert.deepEqual(
    Object.keys(lessons).sort(),
    shippedTopologies().map(({ name }) => name),
  );
});

for (const { name, file, load, stage } of shippedTopologies()) {
  test(`${name} comes up, shows what it teaches, and leaves nothing`, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    const { lab: model, vars } = load();
    if (skipUnlessKernelCan(t, model)) return;
    await using _stage = stage('used');
    const before = await fingerprint();
    {
      await using lab = await upLab(file, { vars });
      await runTests(t, { lab, model });
      await t.test('nslab test gives full marks', () => {
        const { status, stdout, stderr } = nslab(['test', name]);
        assert.equal(status, 0, stdout + stderr);
        const all = model.tests.length;
        assert.match(stdout, new RegExp(`: ${all} of ${all} tests? passed, `));
      });
      await t.test('every node finds every other by name, also under ip netns exec', () =>
        assertNames(lab, model),
      );
      await t.test('ip netns exec and nslab exec show the same namespace', () => assertSameView(lab, model));
      await lessons[name]?.(lab, (title, body) => t.test(title, body));
      const { status, stdout, stderr } = lab.down();
      assert.equal(status, 0, stderr);
      assert.match(stdout, new RegExp(`^lab ${name} is down in \\d+ ms\n$`));
    }
    await assertUnchanged(before, `the machine after ${name}`);
  });
}

type Both = { readonly lab: UpLab; readonly model: Lab };

/** One subtest per entry of `tests:`, in the order of the file: the first packet right after `up` is one of them. */
async function runTests(t: TestContext, { lab, model }: Both): Promise<void> {
  assert.ok(model.tests.length > 0, 'the file has no tests');
  for (const spec of model.tests) {
    await t.test(`tests: ${spec.name}`, async () => {
      const { ok, detail } = await probe(lab, spec);
      assert.ok(
        ok,
        `${spec.from} ${JSON.stringify(spec.probe)}, expected ${JSON.stringify(spec.expect)}: ${detail}`,
      );
    });
  }
}

/** The addresses of a node as the file has them, those that others can use. */
function addressesOf(lab: Lab, name: string): string[] {
  const node = lab.nodes.find((one) => one.name === name);
  const addresses = (node?.interfaces ?? []).flatMap((iface) => iface.addresses);
  return addresses.map(({ ip }) => ip.replace(/\/\d+$/, '')).filter((ip) => !/^(127\.|fe80:|::1$)/.test(ip));
}

/** What getaddrinfo(3) says of each name, in its order. */
function parseAhosts(output: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let of = '';
  // "ADDRESS STREAM NAME", then "ADDRESS DGRAM" and "ADDRESS RAW": only the first line of a name has the name.
  for (const line of output.trim().split('\n')) {
    const [address = '', kind, host = ''] = line.split(/\s+/);
    if (host !== '') of = host;
    if (kind === 'STREAM') found.set(of, [...(found.get(of) ?? []), address]);
  }
  return found;
}

const family = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4);

function assertNames(lab: UpLab, model: Lab): void {
  const named = model.nodes.filter(({ name }) => addressesOf(model, name).length > 0).map(({ name }) => name);
  for (const reader of model.nodes) {
    const others = named.filter((name) => name !== reader.name);
    if (reader.place === null || others.length === 0) continue;
    const words = ['getent', 'ahosts', ...others] as const;
    const output = lab.ok(reader.name, ...words);
    const seen = parseAhosts(output);
    for (const other of others) {
      const addresses = addressesOf(model, other);
      const found = seen.get(other) ?? [];
      const what = `${other} in ${reader.name}: ${found.join(' ')} of ${addresses.join(' ')}`;
      assert.deepEqual(new Set(found.map(family)), new Set(addresses.map(family)), what);
      assert.ok(
        found.every((address) => addresses.includes(address)),
        what,
      );
    }
    assert.equal(run(['ip', 'netns', 'exec', reader.place, ...words]).stdout, output);
  }
}

const MOST_LOOKS = 20;

function assertSameView(lab: UpLab, model: Lab): void {
  for (const node of model.nodes) {
    if (node.place === null) continue;
    const script = 'ip -j addr; ls /sys/class/net; cat /etc/hosts';
    // Between two looks the kernel's worker may have told that a carrier is there (linkwatch): then the next two are the same.
    for (let looks = 1; ; looks++) {
      const theirs = run(['ip', 'netns', 'exec', node.place, 'sh', '-c', script]);
      assert.equal(theirs.status, 0, theirs.stderr);
      const ours = lab.ok(node.name, 'sh', '-c', script);
      if (ours === theirs.stdout) break;
      if (looks === MOST_LOOKS) assert.equal(ours, theirs.stdout);
    }
  }
}

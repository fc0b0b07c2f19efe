// Class mode on the real kernel: one file as many labs that do not see each other, with one of them failing, and down again.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { rounds } from '../support/emulated.ts';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { nslab, nslabOk } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const folder = mkdtempSync(join(tmpdir(), 'nslab-copies-'));
after(() => rmSync(folder, { recursive: true, force: true }));

// The first `ip netns add` of a machine makes /run/netns a mount point for good.
before(() => {
  if (process.geteuid?.() !== 0) return;
  execFileSync('ip', ['netns', 'add', 'tcopy-first']);
  execFileSync('ip', ['netns', 'del', 'tcopy-first']);
});

const file = join(folder, 'lab.yaml');
// docker0 of topologies/, with the number of the copy in what the machine itself has.
writeFileSync(
  file,
  `
name: tcopy
nodes:
  c1: { routes: ["default via 10.\${COPY}.17.1"] }
  c2: { routes: ["default via 10.\${COPY}.17.1"] }
  host:
    interfaces: { br-docker0: { type: bridge, addresses: ["10.\${COPY}.17.1/24"] } }
    nat: [ { masquerade: { out: internet0, source: "10.\${COPY}.17.0/24" } } ]
  internet: {}
links:
  - endpoints:
      - { node: host, interface: vethc1, master: br-docker0 }
      - { node: c1, interface: eth0, addresses: ["10.\${COPY}.17.2/24"] }
  - endpoints:
      - { node: host, interface: vethc2, master: br-docker0 }
      - { node: c2, interface: eth0, addresses: ["10.\${COPY}.17.3/24"] }
  - endpoints:
      - { node: host, interface: internet0, addresses: ["172.30.\${COPY}.1/30"] }
      - { node: internet, interface: eth0, addresses: ["172.30.\${COPY}.2/30"] }
`,
);

const many = rounds(30, 4);

type Summary = { type: string; of: string; made: string[]; unchanged: string[]; failed: { lab: string }[] };

function summaryOf(stdout: string): Summary {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Summary;
}

test(`${many} copies come up, ping, and go`, async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const was = await fingerprint();
  const names = Array.from({ length: many }, (_, index) => `tcopy-${index + 1}`);
  const up = nslabOk(['up', file, '--copies', String(many)]);
  const expected = `^${many} copies of tcopy are up: tcopy-1 to tcopy-${many}, 3 nodes and 3 links each, in \\d+ ms\n$`;
  assert.match(up, new RegExp(expected));
  const labs = JSON.parse(nslabOk(['ls', '--json'])) as { lab: string; state: string }[];
  assert.deepEqual(
    labs.map(({ lab, state }) => `${lab} ${state}`).sort(),
    names.map((name) => `${name} up`).sort(),
  );
  const last = `tcopy-${many}`;
  nslabOk(['exec', '--lab', 'tcopy-2', 'c1', 'ping', '-c', '1', '-W', '5', 'c2']);
  nslabOk(['exec', `${last}-c1`, 'ping', '-c', '1', '-W', '5', `172.30.${many}.2`]);
  execFileSync('ip', ['netns', 'exec', `${last}-c2`, 'ping', '-c', '1', '-W', '5', 'c1']);
  const ambiguous = nslab(['exec', 'c1', 'true']);
  assert.equal(ambiguous.status, 7);
  assert.match(ambiguous.stderr, /hint: say which: nslab exec --lab tcopy-1 c1 \| .* \| \.\.\.\n/);
  // A copy that is gone is made again, and the others are left alone.
  nslabOk(['down', 'tcopy-2']);
  const again = summaryOf(nslabOk(['up', file, '--copies', String(many), '--json']));
  assert.deepEqual([again.made, again.unchanged.length, again.failed], [['tcopy-2'], many - 1, []]);
  assert.match(nslabOk(['down', 'tcopy']), new RegExp(`^lab tcopy is not up; of copies ${many} are: `));
  assert.match(nslabOk(['down', 'tcopy', '--copies']), new RegExp(`^${many} copies are down in \\d+ ms\n$`));
  assert.equal(nslabOk(['down', 'tcopy', '--copies']), 'no copy of tcopy is up\n');
  await assertUnchanged(was);
});

test('a copy that fails is undone alone, the others stay and the summary names both', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const was = await fingerprint();
  execFileSync('ip', ['netns', 'add', 'tcopy-2-c2']);
  const { status, stdout, stderr } = nslab(['up', file, '--copies', '3']);
  assert.equal(status, 6, stderr);
  assert.match(stdout, /^2 copies of tcopy are up: tcopy-1, tcopy-3, /);
  assert.match(
    stderr,
    /error\[COPIES_FAILED\] 1 of 3 copies failed: tcopy-2: there is a network namespace tcopy-2-c2/,
  );
  const missing = nslab(['exec', '--lab', 'tcopy-2', 'c1', 'true']);
  assert.equal(missing.status, 7, missing.stderr);
  execFileSync('ip', ['netns', 'del', 'tcopy-2-c2']);
  assert.deepEqual(summaryOf(nslabOk(['up', file, '--copies', '3', '--json'])).made, ['tcopy-2']);
  nslabOk(['down', '--copies']);
  // What fails for the first fails for all, and nothing is left to be named.
  execFileSync('ip', ['netns', 'add', 'tcopy-1-c2']);
  const first = nslab(['up', file, '--copies', '3']);
  assert.equal(first.status, 4, first.stderr);
  assert.match(first.stderr, /error\[HOST_NAME_TAKEN\]/);
  assert.equal(nslabOk(['ls', '--json']), '[]\n');
  execFileSync('ip', ['netns', 'del', 'tcopy-1-c2']);
  await assertUnchanged(was);
});

test('a file whose addresses on the machine are fixed is refused as it stands', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const was = await fingerprint();
  const { status, stderr } = nslab(['up', 'topologies/docker0.yaml', '--copies', '2']);
  assert.equal(status, 3);
  assert.match(
    stderr,
    /error\[COPIES_OVERLAP\].*10\.17\.0\.0\/24[\s\S]*docker0\.yaml:24:47[\s\S]*hint: \$\{COPY\} in the file/,
  );
  for (const words of [['0'], ['1.5'], ['501'], ['x']]) {
    assert.equal(nslab(['up', 'topologies/docker0.yaml', '--copies', ...words]).status, 2, words.join());
  }
  await assertUnchanged(was);
});

// `nslab explain FILE | bash` and `nslab up FILE` make the same lab: for every shipped topology both are done, one after the
// other, and what iproute2, nft and sysctl show of every namespace and of the machine is compared.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { type Dump, dumpPlaces } from '../support/dump.ts';
import { assertUnchanged, differences, fingerprint } from '../support/fingerprint.ts';
import { nslabOk, root, run, upLab } from '../support/nslab.ts';
import { shippedTopologies, skipUnlessKernelCan } from '../support/shipped.ts';
import { skipUnlessRoot } from '../support/skip.ts';

function bash(script: string): void {
  const { status, stderr } = spawnSync('bash', [], { input: script, encoding: 'utf8', cwd: root });
  assert.equal(status, 0, `the script ended with status ${status}: ${stderr}`);
  assert.equal(stderr, '', 'the script complained');
}

for (const { name, file, load, stage } of shippedTopologies()) {
  test(`the commands that explain prints for ${name} make the lab that up makes`, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    const { lab: model, vars } = load();
    if (skipUnlessKernelCan(t, model)) return;
    await using _stage = stage('plain');
    const words = [file, ...vars.flatMap((v) => ['--var', v])];
    const places = [...model.nodes.map((node) => node.place).filter((place) => place !== null), null];
    // The first `ip netns add` of a machine makes /run/netns a mount point for good.
    run(['ip', 'netns', 'add', 'nslabt-first']);
    run(['ip', 'netns', 'del', 'nslabt-first']);
    const before = await fingerprint();
    bash(nslabOk(['explain', '--down', ...words]));
    await assertUnchanged(before, 'the machine after explain --down without the lab');
    // A card that comes home makes itself a link-local address anew.
    const settle = name === 'physical' ? 'all' : 'processes';

    let byHand: Dump;
    try {
      bash(nslabOk(['explain', ...words]));
      byHand = dumpPlaces(places);
    } catch (error) {
      spawnSync('bash', [], { input: nslabOk(['explain', '--down', ...words]) });
      throw error;
    }
    bash(nslabOk(['explain', '--down', ...words]));
    await assertUnchanged(before, 'the machine after explain --down', { settle });

    await using lab = await upLab(file, { vars });
    const byUp = dumpPlaces(places);
    assert.deepEqual(differences(byHand, byUp), [], 'explain (-) and up (+) differ');
    assert.equal(lab.down().status, 0);
    await assertUnchanged(before, 'the machine after down', { settle });
  });
}

// Every shipped topology, with all kinds of devices there are: once up it differs in nothing from its file; stripped of all that is in
// its nodes and given it back by changes alone, it is the same lab again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { stepsOfChange } from '../../src/lab/change.ts';
import { diffFile } from '../../src/lab/diff.ts';
import { downLab } from '../../src/lab/down.ts';
import { upLab } from '../../src/lab/up.ts';
import type { Lab, Node } from '../../src/model/lab.ts';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { shippedTopologies, skipUnlessKernelCan } from '../support/shipped.ts';
import { skipUnlessRoot } from '../support/skip.ts';

/** The same nodes with nothing in them. */
function stripped(lab: Lab): Lab {
  const nodes = lab.nodes.map((node): Node => {
    const { firewall: _firewall, networks: _networks, ports: _ports, ...rest } = node;
    const nothing = { interfaces: [], routes: [], rules: [], neighbours: [], nat: [], sysctls: [], exec: [] };
    return { ...rest, ...nothing };
  });
  return { ...lab, nodes, links: [] };
}

for (const { name, load, stage } of shippedTopologies()) {
  test(`${name} is as its file says, and is made so again after it was stripped`, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    const { lab } = load();
    if (skipUnlessKernelCan(t, lab)) return;
    await using _stage = stage('used');
    const before = await fingerprint();
    const kernel = new LinuxKernel();
    const request = { file: '-', kernel, onEvent: () => undefined };
    const assertSame = async (wanted: Lab, when: string) => {
      assert.deepEqual(await diffFile(wanted), [], when);
      const steps = await stepsOfChange(wanted, kernel);
      assert.deepEqual(steps, [], when);
    };
    try {
      await upLab({ ...request, lab });
      await assertSame(lab, 'after up');
      await upLab({ ...request, lab: stripped(lab), change: true });
      await assertSame(stripped(lab), 'stripped');
      await upLab({ ...request, lab, change: true });
      await assertSame(lab, 'made again');
    } finally {
      downLab({ lab: lab.name, kernel, onEvent: request.onEvent });
      kernel.close();
    }
    await assertUnchanged(before, name);
  });
}

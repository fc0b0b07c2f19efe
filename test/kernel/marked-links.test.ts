// What `down` deletes in the machine's own namespace, on the real kernel: devices that carry the lab's mark and have a name that
// the lab gave them or was about to. A namespace that the test makes plays the machine.

import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { IfName, LabName } from '../../src/base/names.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { labGroup } from '../../src/plan/mark.ts';
import { throwawayNetns } from '../support/netns.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const lab = 't-marked' as LabName;
const group = String(labGroup(lab));
const ifnames = ['mine0', 'mine1'] as IfName[];

for (const others of [[], ['stranger0']]) {
  const beside = others.length > 0 ? ', beside a marked device of a name that the lab never had' : '';
  test(`a device that was made and not yet named is deleted with those of the lab${beside}`, async (t: TestContext) => {
    if (skipUnlessRoot(t)) return;
    await using machine = await throwawayNetns('t-marked');
    const bridge = (ifname: string, ...mark: string[]) =>
      machine.exec('ip', 'link', 'add', ifname, ...mark, 'type', 'bridge');
    for (const ifname of ['mine0', 'nslab-new', ...others]) bridge(ifname, 'group', group);
    // The name alone says nothing.
    bridge('mine1');
    machine.inside(() => {
      const kernel = new LinuxKernel();
      try {
        kernel.openLab(lab);
        assert.deepEqual(kernel.undo({ kind: 'deleteLinks', group: Number(group), ifnames }), { notes: [] });
      } finally {
        kernel.close();
      }
    });
    const left = (JSON.parse(machine.exec('ip', '-j', 'link')) as { ifname: string }[]).map(
      (one) => one.ifname,
    );
    assert.deepEqual(left.sort(), ['lo', 'mine1', ...others]);
  });
}

// What nslab lets the root of cgroup2 hand down: noted before it is turned on, turned off by the last, on plain files. The kernel's
// own are in test/kernel/container-cgroup.test.ts.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { takeBack, withHandedDown } from '../../../src/container/cgroup/handed-down.ts';

/** A note, and a folder that stands for the mount of cgroup2. */
function place(t: TestContext): {
  readonly note: string;
  readonly mount: string;
  readonly written: () => string;
} {
  const mount = mkdtempSync(join(tmpdir(), 'nslab-handed-'));
  t.after(() => rmSync(mount, { recursive: true }));
  const control = join(mount, 'cgroup.subtree_control');
  writeFileSync(control, '');
  return { note: join(mount, 'note'), mount, written: () => readFileSync(control, 'utf8') };
}

test('what is noted stays until the last group has gone, and is turned off then', (t) => {
  const { note, mount, written } = place(t);
  withHandedDown(note, (handedDown) => handedDown.note(['memory']));
  withHandedDown(note, (handedDown) => handedDown.note(['memory']));
  assert.equal(readFileSync(note, 'utf8'), 'memory\n');
  takeBack(note, mount, () => false);
  assert.equal(written(), '');
  assert.ok(existsSync(note));
  takeBack(note, mount, () => true);
  assert.equal(written(), '-memory');
  assert.ok(!existsSync(note));
});

test('where nothing was turned on nothing is turned off, and no file is left', (t) => {
  const { note, mount, written } = place(t);
  withHandedDown(note, () => {});
  assert.ok(!existsSync(note));
  let asked = 0;
  takeBack(note, mount, () => ++asked > 0);
  assert.equal(asked, 1);
  assert.equal(written(), '');
});

test('who makes groups is alone, and what it has noted is known although it failed', (t) => {
  const { note, mount, written } = place(t);
  const failing = () =>
    withHandedDown(note, (handedDown) => {
      handedDown.note(['pids']);
      throw new Error('refused');
    });
  assert.throws(failing, /refused/);
  takeBack(note, mount, () => true);
  assert.equal(written(), '-pids');
});

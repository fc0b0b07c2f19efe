// `nslab doctor` on the real kernel: it says what the kernel has as other tools see it, finds what is left of labs, and changes nothing.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { nslab, nslabOk, root } from '../support/nslab.ts';
import { hasLinkKind, skipUnlessRoot } from '../support/skip.ts';

// The first `ip netns add` of a machine makes /run/netns a mount point for good.
before(() => {
  if (process.geteuid?.() !== 0) return;
  execFileSync('ip', ['netns', 'add', 'tdoctor-first']);
  execFileSync('ip', ['netns', 'del', 'tdoctor-first']);
});

type Finding = { area: string; name: string; status: string; detail: string; mend?: string };

/** Names only: how often one is used changes by itself. A kernel without modules has no such file. */
function moduleList(): string[] {
  if (!existsSync('/proc/modules')) return [];
  return readFileSync('/proc/modules', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
}

function findings(): Finding[] {
  const { status, stdout, stderr } = nslab(['doctor', '--json']);
  assert.ok(status === 0 || status === 4, stderr);
  return JSON.parse(stdout) as Finding[];
}

test('it says of the kernel what is so, and leaves the machine as it was', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const was = await fingerprint();
  const modules = moduleList();
  const found = findings();
  assert.deepEqual(moduleList(), modules, 'a module was loaded');
  await assertUnchanged(was);
  const status = (name: string) => found.find((one) => one.name === name)?.status;
  assert.equal(status('root'), 'ok');
  for (const kind of ['veth', 'bridge', 'vlan', 'vxlan', 'macvlan', 'ipvlan', 'dummy', 'vrf', 'gre']) {
    assert.equal(
      status(kind),
      hasLinkKind(kind) ? 'ok' : kind === 'veth' || kind === 'bridge' ? 'fail' : 'warn',
      kind,
    );
  }
  const netem = spawnSync('unshare', [
    '-n',
    'tc',
    'qdisc',
    'add',
    'dev',
    'lo',
    'root',
    'netem',
    'delay',
    '1ms',
  ]);
  if (netem.error === undefined) assert.equal(status('netem'), netem.status === 0 ? 'ok' : 'warn');
  assert.equal(found.find(({ area }) => area === 'left')?.detail, 'nothing');
  for (const one of found) assert.equal(one.status === 'ok', one.mend === undefined, one.name);
});

test('the text names what is not well and how to mend it; --all tells the rest', (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const lines = nslabOk(['doctor', '--all']).split('\n');
  assert.ok(lines.includes('kernel') && lines.includes('devices') && lines.includes('nslab'));
  assert.ok(lines.some((line) => /^ {2}ok {4}veth +yes$/.test(line)));
  assert.match(lines.at(-2) ?? '', /^\d+ things well, \d+ warnings?, nothing needed is missing$/);
  assert.doesNotMatch(nslabOk(['doctor']), /^ {2}ok /m);
});

test('what is left of labs that are gone is found, with the command that removes it', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const was = await fingerprint();
  // A group of nslab's own (plan/mark.ts), and names as they stay behind when /run is emptied by hand.
  execFileSync('ip', ['link', 'add', 'tdoctor0', 'group', String(0x4000_0001), 'type', 'bridge']);
  execFileSync('nft', ['add', 'table', 'inet', 'nslab-tdoctor']);
  symlinkSync('/run/nslab/labs/tdoctor/netns/tdoctor1', '/run/netns/tdoctor1');
  mkdirSync('/var/lib/nslab/containers/tdoctor', { recursive: true });
  try {
    const left = findings().filter(({ area }) => area === 'left');
    assert.deepEqual(left.map(({ mend }) => mend).sort(), [
      'ip link del tdoctor0',
      'nft delete table inet nslab-tdoctor',
      'nslab prune',
      'nslab prune',
    ]);
  } finally {
    execFileSync('ip', ['link', 'del', 'tdoctor0']);
    execFileSync('nft', ['delete', 'table', 'inet', 'nslab-tdoctor']);
    rmSync('/run/netns/tdoctor1');
    rmSync('/var/lib/nslab/containers/tdoctor', { recursive: true });
  }
  await assertUnchanged(was);
});

test('who is not root is told so, and what can be seen without', (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const [program = '', ...words] = [process.execPath, join(root, 'dist/nslab.js'), 'doctor', '--json'];
  const asked = spawnSync('setpriv', ['--reuid', '65534', '--clear-groups', program, ...words], {
    encoding: 'utf8',
  });
  if (asked.status === 127 || /Permission denied|EACCES|Cannot find module/.test(asked.stderr))
    return t.diagnostic('nobody may not read this folder');
  assert.equal(asked.status, 4, asked.stderr);
  const found = JSON.parse(asked.stdout) as Finding[];
  assert.deepEqual(
    found.filter(({ status }) => status === 'fail').map(({ name }) => name),
    ['root'],
  );
});

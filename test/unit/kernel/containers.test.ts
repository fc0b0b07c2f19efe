// What can be told of containers without one: the monitor's file, conditions, and removing what a container left behind.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { NodeName } from '../../../src/base/names.ts';
import { missingCondition, NOT_YET } from '../../../src/kernel/container-await.ts';
import { isProcess, parseState, readState } from '../../../src/kernel/container-state.ts';
import type { ContainerState } from '../../../src/kernel/port.ts';
import { removeTree } from '../../../src/kernel/remove-tree.ts';

const written = [
  'status running',
  'pid 4242',
  'start 99',
  'monitor 4241',
  'monitor_start 98',
  'created 2026-01-02T03:04:05.000000001Z',
  'started 2026-01-02T03:04:05.000000002Z',
  'exit 0',
  'signal 0',
  'oom 0',
  'restarts 3',
  'health unhealthy',
  'health_log no route\\nto host',
  'a_key_of_tomorrow 7',
  '',
].join('\n');

function startOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}

test('the state that a monitor writes is read, keys of a newer one are passed over', () => {
  const state = parseState(written);
  assert.equal(state?.status, 'running');
  assert.equal(state?.pid, 4242);
  assert.equal(state?.restarts, 3);
  assert.equal(state?.health, 'unhealthy');
  assert.equal(state?.healthLog, 'no route\\nto host');
  assert.equal(state?.finished, undefined);
  for (const text of ['', 'status', 'status gone\n', 'pid 1\n', '\0\0'])
    assert.equal(parseState(text), undefined);
});

test('a process is its pid and its start together', () => {
  const start = startOf(process.pid);
  assert.ok(isProcess(process.pid, start));
  assert.ok(!isProcess(process.pid, start + 1));
  assert.ok(!isProcess(0, start));
  // The kernel's first threads started at 0, which is also what a state without a time says.
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  assert.deepEqual(
    pids.filter((pid) => isProcess(pid, 0)),
    [],
  );
});

test('a container whose monitor is gone is dead, unless it had ended before', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nslab-state-'));
  try {
    assert.equal(readState(folder), undefined);
    const with_ = (status: string, monitor: number, start: number): void =>
      writeFileSync(
        join(folder, 'state'),
        `status ${status}\nmonitor ${monitor}\nmonitor_start ${start}\nexit 3\n`,
      );
    with_('running', process.pid, startOf(process.pid));
    assert.equal(readState(folder)?.status, 'running');
    with_('running', process.pid, startOf(process.pid) + 1);
    assert.equal(readState(folder)?.status, 'dead');
    with_('exited', process.pid, startOf(process.pid) + 1);
    assert.equal(readState(folder)?.status, 'exited');
    assert.equal(readState(folder)?.exit, 3);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a condition holds, may come yet, or can come no more', () => {
  const base = parseState(written) as ContainerState;
  const ask = (condition: 'started' | 'healthy' | 'completed', change: Partial<ContainerState>): string =>
    missingCondition('db' as NodeName, condition, { ...base, ...change })?.code ?? 'holds';
  const { started: _, ...unstarted } = base;
  assert.equal(
    missingCondition('db' as NodeName, 'started', { ...unstarted, status: 'created' })?.code,
    NOT_YET,
  );
  assert.equal(missingCondition('db' as NodeName, 'started', undefined)?.code, 'CONTAINER');
  assert.equal(ask('started', {}), 'holds');
  assert.equal(ask('started', { status: 'exited', exit: 1 }), 'holds');
  assert.equal(ask('healthy', { health: 'starting' }), NOT_YET);
  assert.equal(ask('healthy', { health: 'healthy' }), 'holds');
  assert.equal(ask('healthy', { health: 'unhealthy' }), 'CONTAINER');
  assert.equal(ask('healthy', { status: 'restarting', health: 'starting' }), NOT_YET);
  assert.equal(ask('healthy', { status: 'exited', health: 'healthy' }), 'CONTAINER');
  assert.equal(ask('completed', {}), NOT_YET);
  assert.equal(ask('completed', { status: 'exited', exit: 0 }), 'holds');
  assert.equal(ask('completed', { status: 'exited', exit: 2 }), 'CONTAINER');
  assert.equal(ask('completed', { status: 'dead' }), 'CONTAINER');
  assert.match(missingCondition('db' as NodeName, 'healthy', base)?.message ?? '', /no route/);
});

test('a folder is removed with names of any bytes, and no symlink in it is followed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nslab-remove-'));
  const outside = join(folder, 'outside');
  const inside = join(folder, 'inside');
  try {
    mkdirSync(outside);
    writeFileSync(join(outside, 'kept'), '');
    mkdirSync(join(inside, 'a/b'), { recursive: true, mode: 0o700 });
    symlinkSync(outside, join(inside, 'a/link'));
    writeFileSync(Buffer.concat([Buffer.from(`${inside}/a/`), Buffer.from([0xff, 0x0a, 0x80])]), '');
    mkdirSync(Buffer.concat([Buffer.from(`${inside}/`), Buffer.from([0xc3])]));
    removeTree(inside);
    assert.deepEqual(readdirSync(folder), ['outside']);
    assert.ok(existsSync(join(outside, 'kept')));
    removeTree(inside);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a tree that is deeper than any path may be long is removed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nslab-deep-'));
  const name = 'd'.repeat(200);
  execFileSync(
    'sh',
    [
      '-c',
      `i=0; while [ $i -lt 60 ]; do mkdir ${name} && cd -P ${name} || exit 1; i=$((i+1)); done; : > file`,
    ],
    {
      cwd: folder,
    },
  );
  removeTree(folder);
  assert.ok(!existsSync(folder));
});

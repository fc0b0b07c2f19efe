// Control groups of containers on the hierarchies that this machine has (v1, v2 or both): limits in the kernel's files, what they
// do to processes, and that nothing is left. Groups are below nslab/ with a name of their own; files are read by path.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { NslabError } from '../../src/base/error.ts';
import {
  createCgroup,
  freezeCgroup,
  killCgroup,
  removeCgroup,
  thawCgroup,
} from '../../src/container/cgroup/cgroup.ts';
import { deviceProgram } from '../../src/container/cgroup/device-program.ts';
import { hierarchyOf, readHierarchies } from '../../src/container/cgroup/hierarchies.ts';
import { readStats } from '../../src/container/cgroup/stats.ts';
import { CGROUP_FLAG_V2 } from '../../src/container/program-ops.ts';
import type { Resources } from '../../src/container/runtime-spec.ts';
import { testContainer } from '../support/program-writer.ts';
import { skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

const hierarchies = readHierarchies();
const lab = `t2cg${process.pid}`;
const denyAll = { allow: false, type: 'a', access: 'rwm' } as const;
const nothing: Resources = { devices: [] };

/** A path that no other test has; the groups are gone when the test is. */
function groupPath(t: TestContext, node = 'box'): string {
  const path = `nslab/${lab}/${node}`;
  t.after(() => {
    removeCgroup(path);
    assert.deepEqual(leftOvers(), []);
  });
  return path;
}

function leftOvers(): string[] {
  const mounts = [...hierarchies.v1, ...(hierarchies.v2 === undefined ? [] : [hierarchies.v2])];
  return mounts.map(({ mount }) => join(mount, 'nslab', lab)).filter((directory) => existsSync(directory));
}

function kernelTest(title: string, body: (t: TestContext) => void | Promise<void>): void {
  test(title, async (t) => {
    if (!skipUnlessRoot(t)) await body(t);
  });
}

/** The folder of the group where this controller limits, and which version that is. */
function at(path: string, controller: string): { version: 1 | 2; read: (file: string) => string } {
  const found = hierarchyOf(hierarchies, controller);
  assert.ok(found, controller);
  return {
    version: found.version,
    read: (file) => readFileSync(join(found.mount, path, file), 'utf8').trim(),
  };
}

/** The folders of each path that create() was given. */
const joined = new Map<string, readonly string[]>();

/** A shell in the group, running the script; it does not begin before it is in all hierarchies. */
function inGroup(path: string, script: string): ChildProcess {
  const joins = (joined.get(path) ?? [])
    .map((directory) => `echo $$ > ${directory}/cgroup.procs`)
    .join(' && ');
  return spawn('sh', ['-c', `${joins} && ${script}`], { stdio: ['ignore', 'pipe', 'pipe'] });
}

function create(path: string, resources: Resources) {
  const made = createCgroup(path, resources);
  joined.set(
    path,
    made.facts.join.map(({ directory }) => directory),
  );
  return made;
}

async function output(
  child: ChildProcess,
): Promise<{ text: string; status: number | null; signal: string | null }> {
  let text = '';
  child.stdout?.on('data', (chunk) => (text += chunk));
  child.stderr?.on('data', (chunk) => (text += chunk));
  const [status, signal] = await once(child, 'close');
  return { text, status, signal };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

kernelTest('limits stand in the files of the control group', (t) => {
  const path = groupPath(t);
  const { warnings, facts } = create(path, {
    devices: [denyAll],
    memory: { limit: 64 << 20, reservation: 32 << 20, swap: 96 << 20 },
    cpu: { quota: 50_000, period: 100_000, shares: 2048, cpus: '0' },
    pids: { limit: 17 },
  });
  assert.deepEqual(warnings, []);
  const memory = at(path, 'memory');
  const v1 = memory.version === 1;
  assert.equal(memory.read(v1 ? 'memory.limit_in_bytes' : 'memory.max'), String(64 << 20));
  assert.equal(memory.read(v1 ? 'memory.soft_limit_in_bytes' : 'memory.low'), String(32 << 20));
  if (v1) assert.equal(memory.read('memory.memsw.limit_in_bytes'), String(96 << 20));
  else assert.equal(memory.read('memory.swap.max'), String(32 << 20));
  const cpu = at(path, 'cpu');
  if (cpu.version === 1) {
    assert.equal(cpu.read('cpu.cfs_quota_us'), '50000');
    assert.equal(cpu.read('cpu.cfs_period_us'), '100000');
    assert.equal(cpu.read('cpu.shares'), '2048');
  } else {
    assert.equal(cpu.read('cpu.max'), '50000 100000');
    assert.equal(cpu.read('cpu.weight'), '174');
  }
  assert.equal(at(path, 'cpuset').read('cpuset.cpus'), '0');
  assert.equal(at(path, 'pids').read('pids.max'), '17');
  assert.match(readFileSync(facts.oom ?? assert.fail('no counter'), 'utf8'), /^oom_kill 0$/m);
});

kernelTest('without limits a group is there in every hierarchy and takes processes', async (t) => {
  const path = groupPath(t);
  const { facts } = create(path, nothing);
  assert.equal(facts.join.length, hierarchies.v1.length + (hierarchies.v2 === undefined ? 0 : 1));
  assert.equal(facts.mounts.length, facts.join.length);
  const { text, status } = await output(inGroup(path, 'cat /proc/self/cgroup'));
  assert.equal(status, 0, text);
  for (const line of text.trim().split('\n')) {
    const controllers = line.split(':')[1] ?? '';
    const mounted =
      controllers === '' ? hierarchies.v2 : hierarchyOf(hierarchies, controllers.split(',')[0] ?? '');
    if (mounted !== undefined) assert.match(line, new RegExp(`/${path}$`));
  }
});

kernelTest(
  'more memory than the limit is an oom kill, counted in the file that the monitor reads',
  async (t) => {
    const path = groupPath(t);
    const { facts } = create(path, { devices: [], memory: { limit: 16 << 20, swap: 16 << 20 } });
    const { signal, status } = await output(inGroup(path, 'exec head -c 200m /dev/zero | tail'));
    assert.ok(signal === 'SIGKILL' || status === 137, `${signal} ${status}`);
    assert.match(readFileSync(facts.oom ?? '', 'utf8'), /^oom_kill [1-9]\d*$/m);
  },
);

kernelTest('a fork bomb ends at the limit of processes', async (t) => {
  const path = groupPath(t);
  create(path, { devices: [], pids: { limit: 5 } });
  const { text } = await output(inGroup(path, 'for i in 1 2 3 4 5 6 7 8 9; do sleep 30 & done; wait'));
  assert.match(text, /fork/i);
});

kernelTest('a value that the kernel refuses names the key, and nothing stays', (t) => {
  const path = `nslab/${lab}/bad`;
  t.after(() => removeCgroup(path));
  const cases: readonly (readonly [Resources, RegExp])[] = [
    [
      { devices: [], cpu: { quota: 1, period: 100_000 } },
      /^cpu: the kernel refuses .*1.* in cpu\.\S+: EINVAL$/,
    ],
    [{ devices: [], cpu: { cpus: '4000' } }, /^cpu: the kernel refuses 4000 in cpuset\.cpus: E\w+$/],
    [
      { devices: [], pids: { limit: 2 ** 40 } },
      /^pids: the kernel refuses 1099511627776 in pids\.max: EINVAL$/,
    ],
  ];
  for (const [resources, expected] of cases) {
    assert.throws(
      () => createCgroup(path, resources),
      (error: unknown) => {
        assert.ok(error instanceof NslabError);
        assert.equal(error.code, 'CONTAINER_CGROUP');
        assert.match(error.message, expected);
        return true;
      },
    );
    assert.deepEqual(leftOvers(), []);
  }
});

kernelTest('devices that no rule allows cannot be opened, under v1', async (t) => {
  if (hierarchyOf(hierarchies, 'devices') === undefined) return skipKernelLacks(t, 'devices of cgroup v1');
  const path = groupPath(t);
  create(path, {
    devices: [
      denyAll,
      { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
      { allow: true, type: 'c', major: 136, access: 'r' },
    ],
  });
  assert.equal(at(path, 'devices').read('devices.list'), 'c 1:3 rwm\nc 136:* r');
  const { text } = await output(
    inGroup(path, 'echo a > /dev/null && echo null; head -c 1 < /dev/zero && echo zero'),
  );
  assert.match(text, /^null$/m);
  assert.match(text, /zero.*(Operation not permitted|cannot open)/);
});

kernelTest('devices that no rule allows cannot be opened, under cgroup2', (t) => {
  const { v2 } = hierarchies;
  if (v2 === undefined) return skipKernelLacks(t, 'cgroup2');
  const path = groupPath(t);
  create(path, nothing);
  const directory = join(v2.mount, path);
  const instructions = deviceProgram([
    denyAll,
    { allow: true, type: 'c', access: 'm' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
    { allow: true, type: 'c', major: 1, minor: 5, access: 'r' },
  ]);
  using container = testContainer();
  const { stdout, stderr } = container.sh(
    'echo a > /dev/null && echo null; head -c 1 /dev/zero | wc -c; echo a > /dev/zero; head -c 1 /dev/full',
    { op: 'CGROUP', flags: CGROUP_FLAG_V2, directory },
    { op: 'DEVICES', directory, instructions },
  );
  assert.match(stdout, /^null\n1$/m, stderr);
  assert.match(stderr, /dev\/zero: Operation not permitted/);
  assert.match(stderr, /'?\/dev\/full'?.*Operation not permitted/);
});

kernelTest('a frozen group stands still until it is thawed', async (t) => {
  const path = groupPath(t);
  create(path, nothing);
  const child = inGroup(path, 'while :; do :; done');
  const used = () => readStats(path)?.cpuNs ?? 0;
  await until(() => used() > 20_000_000, 'it runs');
  freezeCgroup(path);
  const before = used();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(used() - before < 5_000_000, 'it used processor time while frozen');
  thawCgroup(path);
  await until(() => used() > before + 20_000_000, 'it goes on');
  const ended = once(child, 'close');
  killCgroup(path);
  await ended;
});

kernelTest('removing ends what runs, frozen or not, in groups that the container made itself', async (t) => {
  const path = groupPath(t);
  const { facts } = create(path, nothing);
  const inner = facts.join.map(({ directory }) => join(directory, 'inner'));
  for (const directory of inner) mkdirSync(directory);
  const child = spawn('sleep', ['1000']);
  for (const directory of inner) {
    // A cpuset that was made by hand takes no process before it has processors.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const own = join(directory, file);
      if (existsSync(own)) writeFileSync(own, readFileSync(join(directory, '..', file)));
    }
    writeFileSync(join(directory, 'cgroup.procs'), String(child.pid));
  }
  freezeCgroup(path);
  const ended = once(child, 'exit');
  removeCgroup(path);
  assert.deepEqual(leftOvers(), []);
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  removeCgroup(path);
});

kernelTest('the group of the lab goes with its last container', (t) => {
  const one = groupPath(t, 'one');
  const two = groupPath(t, 'two');
  createCgroup(one, nothing);
  createCgroup(two, nothing);
  removeCgroup(one);
  assert.notDeepEqual(leftOvers(), []);
  removeCgroup(two);
  assert.deepEqual(leftOvers(), []);
});

kernelTest('a group that is left over is made anew, and one with processes is not taken', async (t) => {
  const path = groupPath(t);
  create(path, { devices: [], pids: { limit: 3 } });
  create(path, nothing);
  assert.equal(at(path, 'pids').read('pids.max'), 'max');
  const child = inGroup(path, 'exec sleep 1000');
  await until(() => readStats(path)?.pids?.current === 1, 'it is in');
  assert.throws(() => createCgroup(path, nothing), /has processes: \d+/);
  assert.equal(readStats(path)?.pids?.current, 1);
  const ended = once(child, 'exit');
  removeCgroup(path);
  await ended;
});

kernelTest('stats count what the processes use', async (t) => {
  const path = groupPath(t);
  assert.equal(readStats(path), undefined);
  create(path, { devices: [], memory: { limit: 128 << 20 }, pids: { limit: 10 } });
  const child = inGroup(path, `exec perl -e '$x = "a" x (32 << 20); sleep 1000'`);
  await until(() => (readStats(path)?.memory?.usage ?? 0) > 32 << 20, 'it has the memory');
  const stats = readStats(path);
  assert.ok((stats?.cpuNs ?? 0) > 0);
  assert.ok((stats?.memory?.usage ?? 0) < 80 << 20);
  assert.equal(stats?.memory?.limit, 128 << 20);
  assert.deepEqual(stats?.pids, { current: 1, limit: 10 });
  assert.ok(stats?.io === undefined || stats.io.read >= 0);
  const ended = once(child, 'exit');
  removeCgroup(path);
  await ended;
});

kernelTest('names that the kernel gives to its own files are no obstacle', (t) => {
  for (const node of ['tasks', 'cgroup.procs', 'memory.stat', 'cpu.max', '_x']) {
    const path = groupPath(t, node);
    createCgroup(path, nothing);
    assert.notEqual(readStats(path), undefined);
    removeCgroup(path);
  }
});

kernelTest('a path that leads elsewhere is refused', () => {
  for (const path of [
    '',
    '/',
    'nslab',
    'nslab/..',
    'nslab/a/../..',
    'nslab//b',
    'system.slice/x',
    '../nslab/a',
  ]) {
    assert.throws(() => createCgroup(path, nothing), /not the control group of a container/, path);
    assert.throws(() => removeCgroup(path), /not the control group of a container/, path);
  }
});

test('groups of other programs are left alone', () => {
  const [first] = hierarchies.v1.length > 0 ? hierarchies.v1 : [hierarchies.v2];
  if (first === undefined || process.geteuid?.() !== 0) return;
  const stranger = join(first.mount, 'nslab', `${lab}-stranger`);
  mkdirSync(stranger, { recursive: true });
  createCgroup(`nslab/${lab}/x`, nothing);
  removeCgroup(`nslab/${lab}/x`);
  assert.ok(existsSync(stranger));
  rmdirSync(stranger);
  try {
    rmdirSync(join(first.mount, 'nslab'));
  } catch {
    // Other labs are up.
  }
});

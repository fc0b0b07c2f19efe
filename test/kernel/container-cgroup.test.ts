// Control groups of containers on the hierarchies that this machine has (v1, v2 or both): limits in the kernel's files, what they
// do to processes, and that nothing is left. Groups are below nslab/ with a name of their own; files are read by path.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { NslabError } from '../../src/base/error.ts';
import {
  type CgroupHost,
  createCgroup,
  freezeCgroup,
  killCgroup,
  removeCgroup,
  thawCgroup,
} from '../../src/container/cgroup/cgroup.ts';
import { deviceProgram } from '../../src/container/cgroup/device-program.ts';
import { hierarchyOf, readHierarchies } from '../../src/container/cgroup/hierarchies.ts';
import { readStats } from '../../src/container/cgroup/stats.ts';
import { CGROUP_FLAG_V2, type ProgramOp } from '../../src/container/program-ops.ts';
import type { Resources } from '../../src/container/runtime-spec.ts';
import { patience } from '../support/emulated.ts';
import { testContainer } from '../support/program-writer.ts';
import { testProgram } from '../support/programs.ts';
import { skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

const hierarchies = readHierarchies();
const folder = mkdtempSync(join(tmpdir(), 'nslab-cgroup-'));
after(() => rmSync(folder, { recursive: true }));
const host: CgroupHost = { hierarchies, handedDown: join(folder, 'handed-down') };
const lab = `t2cg${process.pid}`;
const denyAll = { allow: false, type: 'a', access: 'rwm' } as const;
const nothing: Resources = { devices: [] };

/** A path that no other test has; the groups are gone when the test is. */
function groupPath(t: TestContext, node = 'box'): string {
  const path = `nslab/${lab}/${node}`;
  t.after(() => {
    removeCgroup(path, host);
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
  const made = createCgroup(path, resources, host);
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
  const deadline = Date.now() + patience(20_000);
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
  t.after(() => removeCgroup(path, host));
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
      () => createCgroup(path, resources, host),
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

const someDevices: Resources['devices'] = [
  denyAll,
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 5, access: 'r' },
];

kernelTest('devices that no rule allows cannot be opened', (t) => {
  const path = groupPath(t);
  const { facts } = create(path, { devices: someDevices });
  if (hierarchyOf(hierarchies, 'devices') !== undefined) {
    assert.equal(at(path, 'devices').read('devices.list'), 'c *:* m\nc 1:3 rwm\nc 1:5 r');
  } else {
    assert.ok(facts.devices, 'no program of cgroup2');
  }
  // By the files of v1, and by the program of cgroup2 where that is mounted, alone or beside v1.
  const { v2 } = hierarchies;
  const joinV1: ProgramOp[] = facts.join.flatMap(({ directory, version }) =>
    version === 1 ? [{ op: 'CGROUP', directory }] : [],
  );
  if (joinV1.length > 0) assertHolds(joinV1);
  if (v2 === undefined) return;
  const directory = join(v2.mount, path);
  assertHolds([
    { op: 'CGROUP', flags: CGROUP_FLAG_V2, directory },
    { op: 'DEVICES', directory, instructions: deviceProgram(someDevices) },
  ]);
});

function assertHolds(ops: readonly ProgramOp[]): void {
  using container = testContainer();
  const { stdout, stderr } = container.sh(
    'echo a > /dev/null && echo null; head -c 1 /dev/zero | wc -c; echo a > /dev/zero; head -c 1 /dev/full',
    ...ops,
  );
  assert.match(stdout, /^null\n1$/m, stderr);
  assert.match(stderr, /dev\/zero: Operation not permitted/);
  assert.match(stderr, /'?\/dev\/full'?.*Operation not permitted/);
}

kernelTest('processor time is given as the quota says', async (t) => {
  const path = groupPath(t);
  create(path, { devices: [], cpu: { quota: 10_000, period: 100_000 } });
  const child = inGroup(path, 'while :; do :; done');
  await until(() => (readStats(path)?.cpuNs ?? 0) > 0, 'it runs');
  const [before, began] = [readStats(path)?.cpuNs ?? 0, process.hrtime.bigint()];
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const used = ((readStats(path)?.cpuNs ?? 0) - before) / Number(process.hrtime.bigint() - began);
  // Of one processor, a tenth; a loop without a limit takes what it can get.
  assert.ok(used < 0.2, `it had ${used} of a processor`);
  assert.match(at(path, 'cpu').read('cpu.stat'), /^nr_throttled [1-9]/m);
  const ended = once(child, 'close');
  killCgroup(path);
  await ended;
});

kernelTest('processes run on the processors that are allowed', async (t) => {
  const path = groupPath(t);
  create(path, { devices: [], cpu: { cpus: '0' } });
  const { text } = await output(inGroup(path, 'grep Cpus_allowed_list /proc/self/status'));
  assert.match(text, /^Cpus_allowed_list:\t0$/m);
});

/** A disk that stores nothing, as MAJ:MIN; null_blk makes it when it is loaded. */
function nullDisk(t: TestContext): string | undefined {
  const file = '/sys/block/nullb0/dev';
  if (!existsSync(file) && spawnSync('modprobe', ['null_blk'], { stdio: 'ignore' }).status === 0)
    t.after(() => spawnSync('modprobe', ['-r', 'null_blk']));
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
}

kernelTest('a disk is written as fast as the limit says, and what is written is counted', async (t) => {
  const disk = nullDisk(t);
  if (disk === undefined) return skipKernelLacks(t, 'null_blk');
  const [major = 0, minor = 0] = disk.split(':').map(Number);
  const path = groupPath(t);
  const rate = 1 << 20;
  create(path, { devices: [], blockIO: { throttleWriteBpsDevice: [{ major, minor, rate }] } });
  const io = at(path, hierarchyOf(hierarchies, 'blkio') === undefined ? 'io' : 'blkio');
  if (io.version === 1) assert.equal(io.read('blkio.throttle.write_bps_device'), `${disk} ${rate}`);
  else assert.match(io.read('io.max'), new RegExp(`^${disk} .*wbps=${rate}`));
  const began = Date.now();
  const write = 'exec dd if=/dev/zero of=/dev/nullb0 bs=64k count=32 oflag=direct';
  const { status, text } = await output(inGroup(path, write));
  assert.equal(status, 0, text);
  // Two seconds' worth, of which the kernel lets a slice pass at once.
  assert.ok(Date.now() - began > 1000, `2 MiB took ${Date.now() - began} ms`);
  assert.equal(readStats(path)?.io?.write, 2 << 20);
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
  removeCgroup(path, host);
  assert.deepEqual(leftOvers(), []);
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  removeCgroup(path, host);
});

kernelTest('the group of the lab goes with its last container', (t) => {
  const one = groupPath(t, 'one');
  const two = groupPath(t, 'two');
  createCgroup(one, nothing, host);
  createCgroup(two, nothing, host);
  removeCgroup(one, host);
  assert.notDeepEqual(leftOvers(), []);
  removeCgroup(two, host);
  assert.deepEqual(leftOvers(), []);
});

kernelTest('a group that is left over is made anew, and one with processes is not taken', async (t) => {
  const path = groupPath(t);
  create(path, { devices: [], pids: { limit: 3 } });
  create(path, nothing);
  assert.equal(at(path, 'pids').read('pids.max'), 'max');
  const child = inGroup(path, 'exec sleep 1000');
  await until(() => readStats(path)?.pids?.current === 1, 'it is in');
  assert.throws(() => createCgroup(path, nothing, host), /has processes: \d+/);
  assert.equal(readStats(path)?.pids?.current, 1);
  const ended = once(child, 'exit');
  removeCgroup(path, host);
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
  removeCgroup(path, host);
  await ended;
});

/** What the root of cgroup2 hands down, and a controller that it does not, with a limit that needs it. */
function handedDown(): { readonly now: () => string; readonly unused?: readonly [string, Resources] } {
  const { v2 } = hierarchies;
  const now = () =>
    v2 === undefined ? '' : readFileSync(join(v2.mount, 'cgroup.subtree_control'), 'utf8').trim();
  const limits: readonly (readonly [string, Resources])[] = [
    ['pids', { devices: [], pids: { limit: 7 } }],
    ['memory', { devices: [], memory: { limit: 64 << 20 } }],
  ];
  const unused = limits.find(([name]) => v2?.controllers.includes(name) && !now().split(' ').includes(name));
  return { now, ...(unused === undefined ? {} : { unused }) };
}

kernelTest('what the root of cgroup2 handed down before, it does after the last group', (t) => {
  const { now, unused } = handedDown();
  if (unused === undefined) return skipKernelLacks(t, 'a controller of cgroup2 that nobody uses');
  const [name, limit] = unused;
  const before = now();
  const [one, two] = [groupPath(t, 'one'), groupPath(t, 'two')];
  createCgroup(one, limit, host);
  assert.ok(now().split(' ').includes(name), now());
  createCgroup(two, nothing, host);
  removeCgroup(one, host);
  assert.ok(now().split(' ').includes(name), 'taken from the other group');
  removeCgroup(two, host);
  assert.equal(now(), before);
  assert.ok(!existsSync(host.handedDown));
  // As if it had been killed after the last group went, and before the controller did.
  createCgroup(one, limit, host);
  for (const depth of [3, 2, 1]) {
    rmdirSync(join(hierarchies.v2?.mount ?? '', ...one.split('/').slice(0, depth)));
  }
  assert.notEqual(now(), before);
  removeCgroup(one, host);
  assert.equal(now(), before);
});

kernelTest('groups that come and go at once do not take controllers from each other', async (t) => {
  const { now, unused } = handedDown();
  if (unused === undefined) return skipKernelLacks(t, 'a controller of cgroup2 that nobody uses');
  const before = now();
  const all = ['a', 'b', 'c'].map((name) => {
    const [program, ...words] = testProgram('cgroup-rounds.ts');
    const request = { path: `nslab/${lab}${name}/box`, limit: unused[1], file: host.handedDown, rounds: 40 };
    return output(spawn(program, [...words, JSON.stringify(request)], { stdio: ['ignore', 'pipe', 'pipe'] }));
  });
  for (const { text, status } of await Promise.all(all)) assert.equal(status, 0, text);
  assert.equal(now(), before);
  assert.deepEqual(readdirSync(folder), []);
});

kernelTest('names that the kernel gives to its own files are no obstacle', (t) => {
  for (const node of ['tasks', 'cgroup.procs', 'memory.stat', 'cpu.max', '_x']) {
    const path = groupPath(t, node);
    createCgroup(path, nothing, host);
    assert.notEqual(readStats(path), undefined);
    removeCgroup(path, host);
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
    assert.throws(() => createCgroup(path, nothing, host), /not the control group of a container/, path);
    assert.throws(() => removeCgroup(path, host), /not the control group of a container/, path);
  }
});

test('groups of other programs are left alone', () => {
  const [first] = hierarchies.v1.length > 0 ? hierarchies.v1 : [hierarchies.v2];
  if (first === undefined || process.geteuid?.() !== 0) return;
  const stranger = join(first.mount, 'nslab', `${lab}-stranger`);
  mkdirSync(stranger, { recursive: true });
  createCgroup(`nslab/${lab}/x`, nothing, host);
  removeCgroup(`nslab/${lab}/x`, host);
  assert.ok(existsSync(stranger));
  rmdirSync(stranger);
  try {
    rmdirSync(join(first.mount, 'nslab'));
  } catch {
    // Other labs are up.
  }
});

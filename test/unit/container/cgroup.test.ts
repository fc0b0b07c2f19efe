// What of control groups is data: limits as lines for files of v1 and v2, the program for devices, hierarchies as they are mounted.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deviceProgram } from '../../../src/container/cgroup/device-program.ts';
import {
  type Hierarchies,
  type HierarchySource,
  hierarchyOf,
  readHierarchies,
} from '../../../src/container/cgroup/hierarchies.ts';
import { deviceWrites, weightOfShares, writesOf } from '../../../src/container/cgroup/limits.ts';
import type { DeviceRule, Resources } from '../../../src/container/runtime-spec.ts';
import { type DeviceAccess, runDeviceProgram } from '../../support/device-simulator.ts';

const all: Resources = {
  devices: [],
  memory: { limit: 67_108_864, reservation: 1000, swap: 100_000_000 },
  cpu: { quota: 50_000, period: 100_000, shares: 1024, cpus: '0-1', mems: '0' },
  pids: { limit: 20 },
  blockIO: { weight: 500, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1000 }] },
};

function lines(resources: Resources, version: 1 | 2): string[] {
  return writesOf(resources, version).map(({ file, value, key }) => `${key}: ${file} ${value}`);
}

test('limits become lines for the files of v1', () => {
  assert.deepEqual(lines(all, 1), [
    'memory: memory.limit_in_bytes 67108864',
    'memory: memory.memsw.limit_in_bytes 100000000',
    'memory: memory.soft_limit_in_bytes 1000',
    'cpu: cpu.shares 1024',
    'cpu: cpu.cfs_period_us 100000',
    'cpu: cpu.cfs_quota_us 50000',
    'cpu: cpuset.cpus 0-1',
    'cpu: cpuset.mems 0',
    'pids: pids.max 20',
    'blkio: blkio.weight 500',
    'blkio: blkio.throttle.read_bps_device 8:0 1000',
  ]);
});

test('limits become lines for the files of v2', () => {
  assert.deepEqual(lines(all, 2), [
    'memory: memory.max 67108864',
    'memory: memory.swap.max 32891136',
    'memory: memory.low 1000',
    'cpu: cpu.weight 100',
    'cpu: cpu.max 50000 100000',
    'cpu: cpuset.cpus 0-1',
    'cpu: cpuset.mems 0',
    'pids: pids.max 20',
    'blkio: io.weight default 4950',
    'blkio: io.max 8:0 rbps=1000',
  ]);
});

test('no limit is no line, and -1 takes a limit away', () => {
  assert.deepEqual([...lines({ devices: [] }, 1), ...lines({ devices: [] }, 2)], []);
  const none: Resources = {
    devices: [],
    memory: { limit: -1, swap: -1 },
    cpu: { quota: -1 },
    pids: { limit: -1 },
  };
  assert.deepEqual(lines(none, 2), [
    'memory: memory.max max',
    'memory: memory.swap.max max',
    'cpu: cpu.max max',
    'pids: pids.max max',
  ]);
  assert.deepEqual(lines({ devices: [], pids: { limit: 0 } }, 1), ['pids: pids.max 0']);
});

test('shares and weight have the same ends and the same middle, and keep their order', () => {
  assert.deepEqual([2, 1024, 262_144].map(weightOfShares), [1, 100, 10_000]);
  const shares = fc.integer({ min: 2, max: 262_144 });
  fc.assert(
    fc.property(shares, shares, (a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      assert.ok(weightOfShares(low) <= weightOfShares(high));
      assert.ok(weightOfShares(low) >= 1 && weightOfShares(high) <= 10_000);
    }),
  );
});

const rules: readonly DeviceRule[] = [
  { allow: false, type: 'a', access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  { allow: true, type: 'c', major: 136, access: 'rw' },
];

test('device rules become lines of v1 in their order', () => {
  assert.deepEqual(
    deviceWrites({ devices: rules }).map(({ file, value }) => `${file} ${value}`),
    [
      'devices.deny a',
      'devices.allow c 1:3 rwm',
      'devices.allow c *:* m',
      'devices.allow b *:* m',
      'devices.allow c 136:* rw',
    ],
  );
});

function may(rules: readonly DeviceRule[], device: DeviceAccess): boolean {
  return runDeviceProgram(deviceProgram(rules), device) === 1;
}

test('the device program allows what the rules allow and nothing else', () => {
  const device = (type: 'c' | 'b', major: number, minor: number, access: string) => ({
    type,
    major,
    minor,
    access,
  });
  for (const allowed of [
    device('c', 1, 3, 'rw'),
    device('c', 1, 3, 'm'),
    device('c', 10, 200, 'm'),
    device('b', 8, 0, 'm'),
    device('c', 136, 7, 'rw'),
  ]) {
    assert.ok(may(rules, allowed), JSON.stringify(allowed));
  }
  for (const refused of [
    device('b', 1, 3, 'r'),
    device('c', 1, 5, 'r'),
    device('c', 10, 200, 'rm'),
    device('b', 8, 0, 'w'),
    device('c', 136, 7, 'rwm'),
  ]) {
    assert.ok(!may(rules, refused), JSON.stringify(refused));
  }
  assert.ok(!may([], device('c', 1, 3, 'r')), 'without a rule');
  assert.ok(may([{ allow: true, access: 'rwm' }], device('b', 8, 0, 'rwm')), 'privileged');
});

/** security/device_cgroup.c, written down as it reads: the state after each line, then one question. */
function asV1(rules: readonly DeviceRule[], device: DeviceAccess): boolean {
  let allowsRest = false;
  let list: { type: string; major: number; minor: number; access: Set<string> }[] = [];
  for (const { allow, type = 'a', major = -1, minor = -1, access } of rules) {
    if (type === 'a') {
      allowsRest = allow;
      list = [];
      continue;
    }
    const same = list.find((one) => one.type === type && one.major === major && one.minor === minor);
    if (allow === allowsRest) {
      for (const letter of access) same?.access.delete(letter);
      list = list.filter((one) => one.access.size > 0);
    } else if (same !== undefined) for (const letter of access) same.access.add(letter);
    else list.push({ type, major, minor, access: new Set(access) });
  }
  const matches = list.filter(
    (one) =>
      one.type === device.type &&
      (one.major === -1 || one.major === device.major) &&
      (one.minor === -1 || one.minor === device.minor),
  );
  const asked = [...device.access];
  return allowsRest
    ? !matches.some((one) => asked.some((letter) => one.access.has(letter)))
    : matches.some((one) => asked.every((letter) => one.access.has(letter)));
}

test('the device program answers as the files of v1 do after the same rules', () => {
  const access = fc.constantFrom('r', 'w', 'm', 'rw', 'rm', 'wm', 'rwm');
  const number = fc.integer({ min: 0, max: 2 });
  const rule = fc.record(
    {
      allow: fc.boolean(),
      type: fc.constantFrom('a' as const, 'b' as const, 'c' as const, 'c' as const),
      major: fc.integer({ min: -1, max: 2 }),
      minor: fc.integer({ min: -1, max: 2 }),
      access,
    },
    { requiredKeys: ['allow', 'access', 'type'] },
  );
  const device = fc.record({
    type: fc.constantFrom('b' as const, 'c' as const),
    major: number,
    minor: number,
    access,
  });
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 8 }), fc.array(device, { minLength: 1 }), (rules, devices) => {
      for (const one of devices) assert.equal(may(rules, one), asV1(rules, one), JSON.stringify(one));
    }),
    { numRuns: 2000 },
  );
});

const V1 = 0x27e0eb;
const V2 = 0x63677270;

function machine(
  mountinfo: string,
  cgroup: string,
  magics: Record<string, number>,
  controllers = '',
): HierarchySource {
  return {
    text: (path) => {
      if (path === '/proc/self/mountinfo') return mountinfo;
      if (path === '/proc/self/cgroup') return cgroup;
      return path.endsWith('/cgroup.controllers') ? controllers : '';
    },
    magic: (path) => magics[path],
  };
}

function summary({ v1, v2 }: Hierarchies): string[] {
  return [...v1, ...(v2 === undefined ? [] : [v2])].map(
    ({ version, mount, controllers }) => `v${version} ${mount} ${controllers.join(',')}`,
  );
}

test('cgroup2 alone is found wherever it is mounted', () => {
  const source = machine(
    '24 1 0:22 / / rw - ext4 /dev/sda rw\n31 24 0:28 / /mnt/my\\040cgroups rw,nosuid - cgroup2 none rw,nsdelegate\n',
    '0::/user.slice\n',
    { '/mnt/my cgroups': V2 },
    'cpuset cpu io memory pids\n',
  );
  const found = readHierarchies(source);
  assert.deepEqual(summary(found), ['v2 /mnt/my cgroups cpuset,cpu,io,memory,pids']);
  assert.equal(hierarchyOf(found, 'memory')?.version, 2);
  assert.equal(hierarchyOf(found, 'devices'), undefined);
});

test('hybrid: controllers of v1 and what is left to cgroup2', () => {
  const source = machine(
    [
      '32 31 0:29 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
      '33 31 0:30 / /cg/memory rw shared:3 master:1 - cgroup cgroup rw,memory',
      '34 31 0:31 / /cg/systemd rw - cgroup cgroup rw,xattr,name=systemd',
      '35 31 0:32 / /cg/unified rw - cgroup2 cgroup2 rw',
    ].join('\n'),
    '4:name=systemd:/\n3:cpu,cpuacct:/\n2:memory:/x\n1:freezer:/\n0::/\n',
    { '/cg/cpu,cpuacct': V1, '/cg/memory': V1, '/cg/systemd': V1, '/cg/unified': V2 },
    'hugetlb\n',
  );
  const found = readHierarchies(source);
  assert.deepEqual(summary(found), [
    'v1 /cg/systemd name=systemd',
    'v1 /cg/cpu,cpuacct cpu,cpuacct',
    'v1 /cg/memory memory',
    'v2 /cg/unified hugetlb',
  ]);
  assert.equal(hierarchyOf(found, 'freezer'), undefined, 'in the kernel and mounted nowhere');
});

test('a mount that is hidden, a plain folder or read-only is not taken where there is a better one', () => {
  const source = machine(
    [
      '31 1 0:28 / /hidden rw - cgroup2 none rw',
      '32 1 0:28 /docker/1 /part rw - cgroup2 none rw',
      '33 1 0:28 / /ro ro - cgroup2 none rw',
      '34 1 0:28 / /good rw - cgroup2 none rw',
    ].join('\n'),
    '0::/\n',
    { '/hidden': 0x0102_1994, '/part': V2, '/ro': V2, '/good': V2 },
  );
  assert.deepEqual(summary(readHierarchies(source)), ['v2 /good ']);
  const none = machine('31 1 0:28 / /sys/fs/cgroup rw - cgroup2 none rw', '0::/\n', {
    '/sys/fs/cgroup': 0x0102_1994,
  });
  assert.deepEqual(summary(readHierarchies(none)), []);
  assert.deepEqual(summary(readHierarchies(machine('', '', {}))), []);
});

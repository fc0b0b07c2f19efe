// What is said of a machine, from facts about machines that are as they should be and others: test of src/lab/doctor.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diagnose, type Finding } from '../../../src/lab/doctor.ts';
import type { DoctorFacts } from '../../../src/lab/doctor-facts.ts';

const modules = Object.fromEntries(
  [
    'veth bridge 8021q vxlan macvlan ipvlan dummy vrf wireguard ip_gre bonding ifb nf_tables sch_netem overlay'.split(
      ' ',
    ),
  ]
    .flat()
    .map((name) => [name, 'present' as const]),
);
const well: DoctorFacts = {
  isRoot: true,
  release: '6.1.0-1-amd64',
  modules,
  probe: { lacking: [], nftables: true, netem: true },
  hasTun: true,
  fileSystems: ['ext4', 'overlay'],
  sysctl: (path) =>
    ({ 'kernel/seccomp/actions_avail': 'kill', 'net/ipv4/ip_forward': '0', 'user/max_user_namespaces': '9' })[
      path
    ],
  namespaces: ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'],
  cgroups: {
    v1: [],
    v2: { version: 2, mount: '/sys/fs/cgroup', controllers: ['cpu', 'memory', 'pids', 'cpuset'] },
  },
  programs: new Set(['ping', 'ip', 'nft', 'tcpdump', 'busybox']),
  seLinux: undefined,
  subids: { uid: 65_536, gid: 65_536 },
  node: { version: 'v20.19.0', snapshot: 'used' },
  storage: { path: '/var/lib/nslab', type: 0xef53, freeBytes: 1 << 30 },
  leftovers: [],
};

function bad(change: Partial<DoctorFacts>): Finding[] {
  return diagnose({ ...well, ...change }).filter(({ status }) => status !== 'ok');
}

function one(change: Partial<DoctorFacts>): Finding {
  const [finding, ...more] = bad(change);
  assert.deepEqual(more, []);
  return finding ?? assert.fail('nothing was found');
}

test('a machine as it should be has nothing but what is well', () => {
  assert.deepEqual(bad({}), []);
});

test('what is missing has a level and a way to mend it', () => {
  const cases: readonly (readonly [Partial<DoctorFacts>, string, 'warn' | 'fail', RegExp])[] = [
    [{ release: '5.4.0-1' }, 'version', 'fail', /5\.7/],
    [{ release: '5.10.0-1' }, 'version', 'warn', /5\.19/],
    [{ probe: { lacking: ['veth'], nftables: true, netem: true } }, 'veth', 'fail', /modprobe veth/],
    [{ probe: { lacking: ['gre'], nftables: true, netem: true } }, 'gre', 'warn', /modprobe ip_gre/],
    [{ probe: { lacking: [], nftables: false, netem: true } }, 'nf_tables', 'warn', /modprobe nf_tables/],
    [{ probe: { lacking: [], nftables: true, netem: false } }, 'netem', 'warn', /modprobe sch_netem/],
    [
      { fileSystems: ['ext4'], modules: { ...modules, overlay: 'missing' } },
      'overlayfs',
      'warn',
      /modprobe overlay/,
    ],
    [{ hasTun: false }, 'tun', 'warn', /modprobe tun/],
    [{ namespaces: well.namespaces.filter((name) => name !== 'time') }, 'time namespaces', 'warn', /kernel/],
    [{ namespaces: well.namespaces.filter((name) => name !== 'user') }, 'user namespaces', 'warn', /kernel/],
    [{ cgroups: { v1: [] } }, 'version', 'warn', /mount -t cgroup2/],
    [{ seLinux: 'enforcing' }, 'SELinux', 'warn', /setenforce/],
    [{ programs: new Set(['ping', 'ip', 'nft', 'tcpdump']) }, 'busybox', 'warn', /busybox-static/],
    [{ subids: { uid: 65_536, gid: 0 } }, '/etc/subgid', 'warn', /nslab:1000000:1048576 >> \/etc\/subgid/],
    [{ node: { version: 'v20', snapshot: 'options' } }, 'snapshot', 'warn', /NODE_OPTIONS/],
    [{ node: { version: 'v20', snapshot: 'other' } }, 'snapshot', 'warn', /npm run build/],
    [{ storage: { ...well.storage, type: 0x794c7630 } }, 'storage', 'warn', /mount/],
    [{ storage: { ...well.storage, freeBytes: 1 } }, 'storage', 'warn', /prune/],
    [{ leftovers: [{ what: 'x', mend: 'nslab prune' }] }, 'of labs', 'warn', /prune/],
  ];
  for (const [change, name, status, mend] of cases) {
    const finding = one(change);
    assert.deepEqual([finding.name, finding.status], [name, status]);
    assert.match(finding.mend ?? '', mend, name);
  }
  const set = (path: string, value: string) => ({
    sysctl: (key: string) => (key === path ? value : well.sysctl(key)),
  });
  assert.equal(one(set('net/bridge/bridge-nf-call-iptables', '1')).name, 'br_netfilter');
  assert.equal(one(set('user/max_user_namespaces', '0')).name, 'user namespaces');
  assert.equal(one(set('net/ipv4/neigh/default/gc_thresh3', '100')).name, 'neighbours');
  assert.deepEqual(bad(set('kernel/apparmor_restrict_unprivileged_userns', '1')), []);
});

test('a module that can be loaded is well, and was not tried', () => {
  const loadable = { ...modules, dummy: 'loadable' as const, sch_netem: 'loadable' as const };
  const findings = diagnose({ ...well, modules: loadable, probe: { lacking: [], nftables: true } });
  assert.deepEqual(
    findings
      .filter(({ name }) => name === 'dummy' || name === 'netem')
      .map(({ status, detail }) => [status, detail]),
    [
      ['ok', 'a module, loaded when it is needed'],
      ['ok', 'a module, loaded when it is needed'],
    ],
  );
});

test('without root it says so and tells what it can', () => {
  const found = bad({ isRoot: false, probe: undefined });
  assert.deepEqual(
    found.map(({ name, status }) => [name, status]),
    [['root', 'fail']],
  );
});

test('root that may make no namespace is told', () => {
  assert.deepEqual(
    bad({ probe: undefined }).map(({ name, status }) => [name, status]),
    [['network namespaces', 'fail']],
  );
});

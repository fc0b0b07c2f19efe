// A container in a user namespace, made by the helper: whose files are whose on both sides, what inner root may and what it may
// not, and that who joins it later is in the same place.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import type { ProgramOp } from '../../src/container/program-ops.ts';
import { type MappedRoot, mappedRoot } from '../support/mapped-root.ts';
import { throwawayNetns } from '../support/netns.ts';
import {
  ATTR,
  bind,
  CLONE,
  caps,
  helperPath,
  machineMounts,
  mount,
  type Outcome,
  processOps,
  runOnce,
  type TestContainer,
  testContainer,
} from '../support/program-writer.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const FIRST = 700_000;
const MAP = `0 ${FIRST} 65536\n`;
const SEVEN = CLONE.mnt | CLONE.uts | CLONE.ipc | CLONE.pid | CLONE.net | CLONE.cgroup | CLONE.user;
const ALL_CAPS = (1n << 64n) - 1n;

type Mapped = Disposable & {
  readonly container: TestContainer;
  readonly root: MappedRoot;
  readonly ops: (script: string, extra?: readonly ProgramOp[]) => ProgramOp[];
  readonly sh: (script: string, ...extra: ProgramOp[]) => Outcome;
  /** The container's stdout; the test fails when it did not end well. */
  readonly output: (script: string, ...extra: ProgramOp[]) => string;
};

// One for all tests: nothing of it changes.
let shared: MappedRoot | undefined;
after(() => shared?.[Symbol.dispose]());

function mapped(map = MAP): Mapped {
  shared ??= mappedRoot();
  const root = shared;
  const container = testContainer();
  for (const folder of [container.upper, join(container.folder, 'work')]) chownSync(folder, FIRST, FIRST);
  const ops: Mapped['ops'] = (script, extra = []) => {
    const base: ProgramOp[] = [
      { op: 'NAMESPACES', types: SEVEN },
      { op: 'ID_MAP', uids: map, gids: map },
      {
        op: 'ROOT_OVERLAY',
        lowers: [root.folder],
        upper: container.upper,
        work: join(container.folder, 'work'),
      },
    ];
    const given = extra.some(({ op }) => op === 'NAMESPACES') ? base.slice(1) : base;
    const all = container.ops(['/bin/sh', '-c', script], [...given, ...extra]);
    return all.map((op) => (op.op === 'DEVICE' ? bind(op.path, op.path) : op));
  };
  const sh: Mapped['sh'] = (script, ...extra) => runOnce(container.write('program', ops(script, extra)));
  return {
    container,
    root,
    ops,
    sh,
    output: (script, ...extra) => {
      const { status, stdout, stderr } = sh(script, ...extra);
      assert.equal(status, 0, `${script}: ${status}\n${stdout}${stderr}`);
      return stdout.trim();
    },
    [Symbol.dispose]: () => container[Symbol.dispose](),
  };
}

function kernelTest(title: string, body: (t: TestContext) => void | Promise<void>): void {
  test(title, (t) => {
    if (!skipUnlessRoot(t)) return body(t);
    return undefined;
  });
}

function assertRefused(lab: Mapped, message: RegExp, ...extra: ProgramOp[]): void {
  const before = machineMounts();
  const { status, stdout, stderr } = lab.sh('echo it runs', ...extra);
  assert.match(stderr, message);
  assert.deepEqual([status, stdout], [4, '']);
  assert.deepEqual(machineMounts(), before);
}

kernelTest('root inside is somebody else outside, and its namespaces belong to it', () => {
  using lab = mapped();
  const before = machineMounts();
  const lines = lab
    .output(
      'id -u; id -g; id -G; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; readlink /proc/self/ns/user; hostname',
    )
    .split('\n')
    .map((line) => line.trim().replaceAll(/ +/g, ' '));
  assert.deepEqual(lines.slice(0, 6), ['0', '0', '0', MAP.trim(), MAP.trim(), 'allow']);
  assert.notEqual(lines[6], readlinkSync('/proc/self/ns/user'));
  assert.equal(lines[7], 'inside');
  assert.deepEqual(machineMounts(), before);
});

kernelTest('files of the image are root’s inside, without having changed outside', () => {
  using lab = mapped();
  const inside = lab.output('stat -c "%u:%g" / /bin/sh /etc /home/page').split('\n');
  assert.deepEqual(inside, ['0:0', '0:0', '0:0', '33:44']);
  const { uid, gid } = statSync(join(lab.root.folder, 'home/page'));
  assert.deepEqual([uid, gid, statSync(join(lab.root.folder, 'bin/sh')).uid], [33, 44, 0]);
});

kernelTest('what is made or changed inside is owned by the mapped id in the upper layer', () => {
  using lab = mapped();
  lab.output(
    'touch /made && chown 33:44 /made && mkdir /dir && chmod 600 /etc/passwd && echo more >> /home/page',
  );
  const ids = (name: string) => {
    const { uid, gid } = lstatSync(join(lab.container.upper, name));
    return [uid - FIRST, gid - FIRST];
  };
  assert.deepEqual(['made', 'dir', 'etc/passwd', 'home/page'].map(ids), [
    [33, 44],
    [0, 0],
    [0, 0],
    [33, 44],
  ]);
});

kernelTest(
  'through a bind a file of the machine’s root stays unreadable, and one for all is nobody’s',
  () => {
    using lab = mapped();
    const folder = join(lab.container.folder, 'bound');
    mkdirSync(folder);
    writeFileSync(join(folder, 'secret'), 'secret\n', { mode: 0o600 });
    writeFileSync(join(folder, 'public'), 'public\n', { mode: 0o644 });
    writeFileSync(join(folder, 'given'), 'given\n', { mode: 0o600 });
    chownSync(join(folder, 'given'), FIRST, FIRST);
    const said = lab.output(
      'cd /b; cat public given; stat -c %u public; cat secret 2>&1; touch new 2>&1; chown 0 secret 2>&1; true',
      bind(folder, '/b'),
      caps(ALL_CAPS),
    );
    assert.match(
      said,
      /^public\ngiven\n65534\ncat: secret: Permission denied\ntouch: .*denied\nchown: .*(not permitted|denied|Invalid argument)/,
    );
  },
);

kernelTest('setgroups works: a user has its further groups', () => {
  using lab = mapped();
  const said = lab.output('id -u; id -G; stat -c %u /proc/self/', {
    op: 'USER',
    uid: 33,
    gid: 33,
    groups: [44, 45],
  });
  assert.equal(said, '33\n33 44 45\n33');
});

kernelTest('all capabilities are granted and reach only what is the container’s', () => {
  using lab = mapped();
  const said = lab
    .output(
      [
        'grep CapEff /proc/self/status',
        'hostname other && hostname',
        'mount -t tmpfs none /tmp && echo tmpfs',
        'ip link add d0 type veth peer name d1 && ip -br link show dev d0 | head -c 2; echo',
        'mknod /node c 1 3 2>&1',
        'mount -t ext4 /dev/vda /tmp 2>&1 | head -1',
        'echo 1 2>/dev/null > /proc/sys/kernel/panic || echo no sysctl',
        'echo 1 2>/dev/null > /proc/sysrq-trigger || echo no sysrq',
      ].join('; '),
      caps(ALL_CAPS),
    )
    .split('\n');
  assert.match(lines0(said), /CapEff:\s+0*1[f]+$/);
  assert.deepEqual(said.slice(1, 4), ['other', 'tmpfs', 'd0']);
  assert.match(said[4] ?? '', /not permitted/);
  assert.match(said[5] ?? '', /mount: /);
  assert.deepEqual(said.slice(-2), ['no sysctl', 'no sysrq']);
});

function lines0(lines: readonly string[]): string {
  return lines[0] ?? '';
}

kernelTest('without CAP_SYS_ADMIN inner root mounts nothing and names nothing', () => {
  using lab = mapped();
  const said = lab.output('mount -t tmpfs none /tmp 2>&1; hostname other 2>&1; hostname; true');
  assert.match(said, /^mount: .*(denied|not permitted)[\s\S]*hostname: [\s\S]*\ninside$/);
});

kernelTest('a user namespace in the user namespace has ids of the outer one alone', () => {
  using lab = mapped();
  const said = lab.output(
    'unshare --user --map-root-user sh -c "id -u; cat /proc/self/uid_map; touch /tmp/nested"; stat -c %u /tmp/nested',
  );
  assert.deepEqual(said.split(/\s+/), ['0', '0', '0', '1', '0']);
  assert.equal(lstatSync(join(lab.container.upper, 'tmp/nested')).uid, FIRST);
});

kernelTest(
  'devices are the machine’s own and work; the mounts of an everyday container are all there',
  () => {
    using lab = mapped();
    const said = lab.output(
      'echo gone > /dev/null; head -c 2 /dev/zero | head -c 0; stat -c %t:%T /dev/null; cat /proc/self/mountinfo; ls /sys/class/net',
    );
    assert.match(said, /^1:3\n/);
    for (const type of ['proc', 'devpts', 'mqueue', 'sysfs', 'overlay'])
      assert.match(said, new RegExp(` - ${type} `), type);
    assert.match(said, /\nlo$/);
  },
);

kernelTest('cgroup and time namespaces come with it', () => {
  using lab = mapped();
  const said = lab.output(
    'cat /proc/uptime; cat /proc/self/cgroup | head -1; readlink /proc/self/ns/time',
    { op: 'NAMESPACES', types: SEVEN | CLONE.time },
    { op: 'TIME_OFFSETS', text: 'monotonic 5000 0\nboottime 1000000 0\n' },
  );
  assert.ok(Number(said.split('.')[0]) > 1_000_000, said);
  assert.match(said, /:\/$/m);
  assert.ok(!said.includes(readlinkSync('/proc/self/ns/time')));
});

kernelTest('sysctls are set for it by root of the machine, in its own namespaces', async () => {
  using lab = mapped();
  const ipc: ProgramOp = { op: 'SYSCTL', key: 'kernel.shmmax', value: '123456' };
  const net: ProgramOp = { op: 'SYSCTL', key: 'net.ipv4.ip_unprivileged_port_start', value: '7' };
  const read = 'cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_unprivileged_port_start';
  assert.equal(lab.output(read, ipc, net), '123456\n7');
  await using netns = await throwawayNetns();
  const joined: ProgramOp[] = [
    { op: 'NAMESPACES', types: SEVEN & ~CLONE.net },
    { op: 'JOIN', type: CLONE.net, path: netns.path },
  ];
  assert.equal(lab.output(read, ...joined, ipc, net), '123456\n7');
  assertRefused(lab, /SYSCTL: kernel.panic belongs to no namespace/, {
    op: 'SYSCTL',
    key: 'kernel.panic',
    value: '0',
  });
});

kernelTest('in a network that the machine owns, inner root can look and not touch', async () => {
  using lab = mapped();
  await using netns = await throwawayNetns();
  const said = lab.output(
    'readlink /proc/self/ns/net; ls /sys/class/net; ip link set lo up 2>&1; true',
    { op: 'NAMESPACES', types: SEVEN & ~CLONE.net },
    { op: 'JOIN', type: CLONE.net, path: netns.path },
    caps(ALL_CAPS),
  );
  assert.equal(said, `net:[${statSync(netns.path).ino}]\nlo\nRTNETLINK answers: Operation not permitted`);
});

kernelTest('a network and the user namespace that owns it are made first and joined, again and again', () => {
  using lab = mapped();
  const pins = mkdtempSync(join(tmpdir(), 'nslab-pins-'));
  const [user, net] = ['user', 'net'].map((name) => join(pins, name)) as [string, string];
  for (const pin of [user, net]) writeFileSync(pin, '');
  try {
    execFileSync(helperPath(), ['_userns', user, net, MAP, MAP]);
    const join_: ProgramOp[] = [
      { op: 'NAMESPACES', types: SEVEN & ~CLONE.net & ~CLONE.user },
      { op: 'JOIN', type: CLONE.net, path: net },
      { op: 'JOIN', type: CLONE.user, path: user },
      caps(ALL_CAPS),
    ];
    const script =
      'readlink /proc/self/ns/user /proc/self/ns/net; ip link set lo up && ip -br link | head -c 2; ls -ld /sys/class/net/lo | head -c 20; stat -c %u /proc/sys/net/ipv4';
    const first = lab.output(script, ...join_);
    assert.equal(lab.output(script, ...join_), first);
    assert.match(first, new RegExp(`^user:\\[${statSync(user).ino}\\]\nnet:\\[${statSync(net).ino}\\]\nlo`));
    assert.match(first, /\n?0$/);
    // The maps are the namespace's own, whatever the program says.
    assert.equal(lab.output('cat /proc/self/uid_map', ...join_).replaceAll(/ +/g, ' '), MAP.trim());
  } finally {
    spawnSync('umount', [user, net]);
    rmSync(pins, { recursive: true });
  }
});

kernelTest('who is started inside later is in the same user namespace, as the user that is asked for', () => {
  using lab = mapped();
  const program = lab.container.write('program', lab.ops('exec sleep 1000'));
  const inside = (extra: readonly ProgramOp[]): Outcome =>
    runOnce(
      program,
      lab.container.write('exec', [
        ...processOps([
          '/bin/sh',
          '-c',
          'id -u; id -G; readlink /proc/self/ns/user /proc/1/ns/user; touch /tmp/$(id -u)',
        ]).filter(({ op }) => !extra.some((one) => one.op === op)),
        { op: 'ID_MAP', uids: MAP, gids: MAP },
        ...extra,
      ]),
    );
  const root = inside([]);
  assert.equal(root.status, 0, root.stderr);
  const [uid, groups, own, ofInit] = root.stdout.split('\n');
  assert.deepEqual([uid, groups], ['0', '0']);
  assert.equal(own, ofInit);
  const user = inside([{ op: 'USER', uid: 33, gid: 33, groups: [44] }]);
  assert.match(user.stdout, /^33\n33 44\n/);
  assert.equal(lstatSync(join(lab.container.upper, 'tmp/33')).uid, FIRST + 33);
});

kernelTest('limits that are higher than those of the machine are raised outside, where somebody may', () => {
  using lab = mapped();
  const program = lab.container.write(
    'program',
    lab.ops('ulimit -Hn; ulimit -Sn', [{ op: 'RLIMIT', resource: 7, soft: 900n, hard: 900n }]),
  );
  const script = `ulimit -n 800; exec ${helperPath()} _run-once ${program}`;
  const { stdout, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  const may = execFileSync('sh', ['-c', 'grep CapEff /proc/self/status'], { encoding: 'utf8' });
  const hasResource = (BigInt(`0x${may.split(/\s+/)[1]}`) & (1n << 24n)) !== 0n;
  assert.equal(stdout, hasResource ? '900\n900\n' : '800\n800\n', stderr);
});

kernelTest('what cannot be is refused before anything runs, by name', () => {
  using lab = mapped();
  const none: ProgramOp[] = [{ op: 'NAMESPACES', types: SEVEN & ~CLONE.user }];
  assertRefused(lab, /ID_MAP: there is no user namespace/, ...none);
  {
    using other = mapped('5 700000 10\n');
    assertRefused(other, /become group 0 of the user namespace: Invalid argument/);
  }
  {
    using other = mapped('0 700000 10\n0 800000 10\n');
    assertRefused(other, /ID_MAP: write uid_map: Invalid argument/);
  }
  const without = lab.ops('true').filter(({ op }) => op !== 'ID_MAP');
  assert.match(runOnce(lab.container.write('p', without)).stderr, /a user namespace without an ID_MAP/);
  assertRefused(lab, /JOIN: .* is not a namespace of that type/, ...none, {
    op: 'JOIN',
    type: CLONE.user,
    path: '/proc/self/ns/uts',
  });
});

kernelTest('a layer on a file system that cannot be mapped is named, and nothing is chowned instead', () => {
  using lab = mapped();
  // An overlay is one.
  const lower = join(lab.container.folder, 'overlay');
  const [up, work] = ['up2', 'work2'].map((name) => join(lab.container.folder, name)) as [string, string];
  for (const folder of [lower, up, work]) mkdirSync(folder);
  chmodSync(up, 0o755);
  const options = `lowerdir=${lab.root.folder},upperdir=${up},workdir=${work}`;
  execFileSync('mount', ['-t', 'overlay', '-o', options, 'nslab-test', lower]);
  try {
    assertRefused(
      lab,
      /ROOT_OVERLAY: .*overlay: the kernel cannot mount this file system with the ids of a user namespace/,
      {
        op: 'ROOT_OVERLAY',
        lowers: [lower],
        upper: lab.container.upper,
        work: join(lab.container.folder, 'work'),
      },
    );
  } finally {
    execFileSync('umount', [lower]);
  }
});

kernelTest('a read-only layer alone is mapped too', () => {
  using lab = mapped();
  const said = lab.output('stat -c %u /home/page /bin; touch /x 2>&1; true', {
    op: 'ROOT_OVERLAY',
    flags: 1,
    lowers: [lab.root.folder],
    upper: '',
    work: '',
  });
  assert.match(said, /^33\n0\ntouch: .*Read-only file system$/);
});

kernelTest('a tmpfs of the program belongs to inner root', () => {
  using lab = mapped();
  assert.equal(
    lab.output(
      'stat -c %u:%g /mnt; touch /mnt/x && stat -c %u /mnt/x',
      mount('tmpfs', '/mnt', ATTR.nosuid, 'mode=755'),
    ),
    '0:0\n0',
  );
});

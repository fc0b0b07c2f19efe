// What the helper makes of a program (src/helper/create.c and what it calls), looked at from inside by ordinary programs and
// from outside through /proc: every isolation a container is promised, and every trick of a hostile root file system, by the
// rows of the project's security list.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ProgramOp } from '../../src/container/program-ops.ts';
import { ROOT_FLAG_NO_UPPER } from '../../src/container/program-ops.ts';
import { throwawayNetns } from '../support/netns.ts';
import {
  ATTR,
  bind,
  CLONE,
  caps,
  device,
  helperPath,
  machineMounts,
  mount,
  processOps,
  runOnce,
  type TestContainer,
  testContainer,
  withExtra,
} from '../support/program-writer.ts';
import { skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

const ALL_CAPS = (1n << 64n) - 1n;
const KINDS = ['mnt', 'uts', 'ipc', 'pid', 'net', 'cgroup'] as const;

function kernelTest(title: string, body: (t: TestContext) => void | Promise<void>): void {
  test(title, (t) => {
    if (!skipUnlessRoot(t)) return body(t);
    return undefined;
  });
}

/** The container's stdout; the test fails when it did not end well. */
function output(container: TestContainer, script: string, ...extra: ProgramOp[]): string {
  const { status, stdout, stderr } = container.sh(script, ...extra);
  assert.equal(status, 0, `${script}: ${status}\n${stdout}${stderr}`);
  return stdout.trim();
}

/** Asserts that the container is not made, and why. */
function assertRefused(container: TestContainer, message: RegExp, ...extra: ProgramOp[]): void {
  const before = machineMounts();
  const { status, stdout, stderr } = container.sh('echo it runs', ...extra);
  assert.match(stderr, message);
  assert.equal(status, 4, stderr);
  assert.equal(stdout, '');
  assert.deepEqual(machineMounts(), before);
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const limit = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > limit) throw new Error(`not within 20 s: ${what}`);
    await delay(20);
  }
}

const namespaceScript = KINDS.map((kind) => `readlink /proc/self/ns/${kind}`).join('; ');

function hostNamespaces(): string[] {
  return KINDS.map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
}

kernelTest('a container has six namespaces of its own, and each is gone with it', () => {
  using container = testContainer();
  const inside = output(container, namespaceScript).split('\n');
  hostNamespaces().forEach((own, index) => {
    assert.notEqual(inside[index], own, KINDS[index]);
  });
});

kernelTest('a namespace that the program does not name is the machine’s', () => {
  using container = testContainer();
  const inside = output(container, namespaceScript, {
    op: 'NAMESPACES',
    types: CLONE.mnt | CLONE.uts | CLONE.pid,
  }).split('\n');
  const own = hostNamespaces();
  const same = KINDS.filter((_, index) => inside[index] === own[index]);
  assert.deepEqual(same, ['ipc', 'net', 'cgroup']);
});

kernelTest('a network namespace is joined by its path, and a path to anything else is refused', async () => {
  using container = testContainer();
  await using netns = await throwawayNetns();
  const without: ProgramOp = {
    op: 'NAMESPACES',
    types: CLONE.mnt | CLONE.uts | CLONE.ipc | CLONE.pid | CLONE.cgroup,
  };
  const inside = output(container, 'readlink /proc/self/ns/net; ls /sys/class/net', without, {
    op: 'JOIN',
    type: CLONE.net,
    path: netns.path,
  });
  assert.equal(inside, `net:[${statSync(netns.path).ino}]\nlo`);
  assertRefused(container, /op \d+ JOIN: \/etc\/passwd is not a namespace of that type/, without, {
    op: 'JOIN',
    type: CLONE.net,
    path: '/etc/passwd',
  });
  assertRefused(container, /JOIN: .*uts is not a namespace of that type/, without, {
    op: 'JOIN',
    type: CLONE.net,
    path: '/proc/self/ns/uts',
  });
});

kernelTest('a pid namespace is joined, and the parent stays where it is', async () => {
  using container = testContainer();
  const other = spawn('unshare', ['--pid', '--fork', '--mount-proc', 'sh', '-c', 'echo; exec sleep 1000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(other.stdout as NodeJS.ReadableStream, 'data');
    const child = readFileSync(`/proc/${other.pid}/task/${other.pid}/children`, 'utf8').trim();
    const path = `/proc/${child}/ns/pid`;
    const inside = output(
      container,
      'readlink /proc/self/ns/pid; cat /proc/1/comm',
      { op: 'NAMESPACES', types: CLONE.mnt | CLONE.uts },
      { op: 'JOIN', type: CLONE.pid, path },
    );
    assert.equal(inside, `${readlinkSync(path)}\nsleep`);
  } finally {
    const closed = once(other, 'close');
    const child = readFileSync(`/proc/${other.pid}/task/${other.pid}/children`, 'utf8').trim();
    process.kill(Number(child), 'SIGKILL');
    await closed;
  }
});

kernelTest('a time namespace has its offsets', () => {
  using container = testContainer();
  const types = CLONE.mnt | CLONE.uts | CLONE.pid | CLONE.time;
  const inside = output(
    container,
    'cat /proc/uptime',
    { op: 'NAMESPACES', types },
    { op: 'TIME_OFFSETS', text: 'boottime 1000000 0\n' },
  );
  assert.ok(Number(inside.split('.')[0]) > 1_000_000, inside);
  assert.ok(Number(readFileSync('/proc/uptime', 'utf8').split('.')[0]) < Number(inside.split('.')[0]));
});

kernelTest('nothing is made in the machine’s own namespaces', () => {
  using container = testContainer();
  assertRefused(container, /NAMESPACES: a container needs a mount namespace of its own/, {
    op: 'NAMESPACES',
    types: CLONE.uts | CLONE.pid,
  });
  assertRefused(container, /HOSTNAME: there is no uts namespace of the container's own/, {
    op: 'NAMESPACES',
    types: CLONE.mnt | CLONE.pid,
  });
});

kernelTest(
  'the old root is gone: only the program’s mounts are there, and none of them on the machine',
  () => {
    using container = testContainer();
    const before = machineMounts();
    const points = output(
      container,
      `cut -d' ' -f5 /proc/self/mountinfo; cd /../../..; pwd -P; ls /proc/self/root/.. >/dev/null`,
    ).split('\n');
    assert.deepEqual(points.slice(0, 7), [
      '/',
      '/proc',
      '/dev',
      '/dev/pts',
      '/dev/mqueue',
      '/dev/shm',
      '/sys',
    ]);
    for (const point of points.slice(7, -1)) assert.match(point, /^\/(proc|sys)\//);
    assert.equal(points.at(-1), '/');
    assert.deepEqual(machineMounts(), before);
  },
);

kernelTest('mounts have the type, the options and the attributes that the program says', () => {
  using container = testContainer();
  const table = output(
    container,
    'cat /proc/self/mountinfo',
    mount('tmpfs', '/new/deep/folder', ATTR.ro | ATTR.noexec, 'size=4096k', 'mode=700'),
  );
  assert.match(table, / \/new\/deep\/folder ro,noexec,relatime - tmpfs tmpfs rw,size=4096k,mode=700/);
  assert.match(table, / \/dev\/pts rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666/);
  assertRefused(container, /MOUNT: \/x: option nosuch=1 \(tmpfs: Unknown parameter 'nosuch'\)/, {
    op: 'MOUNT',
    fstype: 'tmpfs',
    source: 't',
    target: '/x',
    attr: 0n,
    options: ['nosuch=1'],
  });
  assertRefused(container, /MOUNT: file system nosuchfs: No such device/, mount('nosuchfs', '/x', 0n));
  assertRefused(container, /MOUNT: \/x\/\.\.\/y: "\.\."/, mount('tmpfs', '/x/../y', 0n));
});

kernelTest('the devices of /dev are the usual ones, open to everybody, and they work', () => {
  using container = testContainer();
  const list = output(
    container,
    `stat -c '%n %t:%T %a %u:%g %F' /dev/null /dev/full /dev/tty; readlink /dev/fd /dev/ptmx; echo x >/dev/null; head -c2 /dev/zero | wc -c`,
  );
  assert.equal(
    list,
    [
      '/dev/null 1:3 666 0:0 character special file',
      '/dev/full 1:7 666 0:0 character special file',
      '/dev/tty 5:0 666 0:0 character special file',
      '/proc/self/fd',
      'pts/ptmx',
      '2',
    ].join('\n'),
  );
  const mine: ProgramOp = { ...device('/dev/mine', 1, 3), mode: 0o640, uid: 5, gid: 6 } as ProgramOp;
  assert.equal(output(container, `stat -c '%t:%T %a %u:%g' /dev/mine`, mine), '1:3 640 5:6');
});

kernelTest('binds are read-only, recursive and at files or folders as asked', () => {
  using container = testContainer();
  const source = join(container.folder, 'source');
  mkdirSync(join(source, 'below'), { recursive: true });
  writeFileSync(join(source, 'file'), 'content\n');
  execFileSync('mount', ['-t', 'tmpfs', 'below', join(source, 'below')]);
  try {
    const script = 'touch /b/x; touch /b/below/x; cat /one/file';
    const writable = container.sh(
      `${script}; rm /b/x /b/below/x`,
      bind(source, '/b'),
      bind(join(source, 'file'), '/one/file'),
    );
    assert.deepEqual(writable, { status: 0, stdout: 'content\n', stderr: '' });
    const top = container.sh(`touch /b/x; touch /b/below/x && rm /b/below/x`, bind(source, '/b', ATTR.ro));
    assert.match(top.stderr, /^touch: cannot touch '\/b\/x': Read-only file system\n$/);
    const all = container.sh('touch /b/x; touch /b/below/x', bind(source, '/b', ATTR.ro, 3));
    assert.match(all.stderr, /'\/b\/x': Read-only.*\n.*'\/b\/below\/x': Read-only/);
    const flat = container.sh('ls -A /b/below; touch /b/below/x && rm /b/below/x', bind(source, '/b', 0n, 0));
    assert.deepEqual(flat, { status: 0, stdout: '', stderr: '' });
    assertRefused(
      container,
      /BIND: \/etc is a directory, .*file is a file/,
      bind(join(source, 'file'), '/etc'),
    );
    assertRefused(container, /BIND: \/no\/such: No such file/, bind('/no/such', '/x'));
  } finally {
    execFileSync('umount', [join(source, 'below')]);
  }
});

kernelTest('a bind is private, a slave or shared with the machine as asked', () => {
  using container = testContainer();
  const source = join(container.folder, 'source');
  mkdirSync(source);
  execFileSync('mount', ['-t', 'tmpfs', 'shared', source]);
  execFileSync('mount', ['--make-shared', source]);
  const MS = { private: 1 << 18, slave: 1 << 19, shared: 1 << 20, rec: 1 << 14 };
  try {
    for (const [propagation, words] of [
      [0, /^$/],
      [MS.private, /^$/],
      [MS.slave | MS.rec, /^master:\d+$/],
      [MS.shared | MS.rec, /^shared:\d+$/],
    ] as const) {
      const tags = output(
        container,
        `grep ' /b ' /proc/self/mountinfo | sed 's/ - .*//' | cut -s -d' ' -f7-`,
        { op: 'BIND', flags: 1, source, target: '/b', attr: 0n, propagation },
      );
      assert.match(tags, words);
    }
  } finally {
    execFileSync('umount', [source]);
  }
});

kernelTest(
  'masked files are empty, masked folders too, neither can be written, and missing ones are skipped',
  () => {
    using container = testContainer();
    writeFileSync(join(container.layer, 'secret'), 'secret\n');
    mkdirSync(join(container.layer, 'folder/deep'), { recursive: true });
    mkdirSync(join(container.layer, 'second/deep'), { recursive: true });
    const { stdout, stderr } = container.sh(
      'cat /secret; ls -A /folder /second /sys/firmware; touch /folder/x; cat /proc/timer_list; stat -c %t:%T /secret; mkdir /second/x',
      ...['/secret', '/folder', '/second', '/not/there', '/etc/passwd/below'].map(
        (path): ProgramOp => ({ op: 'MASK', path }),
      ),
    );
    assert.equal(stdout, '/folder:\n\n/second:\n\n/sys/firmware:\n1:3\n');
    assert.match(stderr, /'\/folder\/x': Read-only file system\n.*'\/second\/x'.*: Read-only file system/);
  },
);

kernelTest('an empty folder over a masked one has room for nothing, even when it is mounted anew', () => {
  using container = testContainer();
  mkdirSync(join(container.layer, 'folder'));
  const { stdout, stderr } = container.sh(
    'mount -o remount,rw,bind /folder; mount -o remount,rw /folder; touch /folder/x; ls -A /folder',
    { op: 'MASK', path: '/folder' },
    caps(ALL_CAPS),
  );
  assert.equal(stdout, '');
  assert.match(stderr, /No space left on device/);
});

kernelTest('read-only paths and a read-only root refuse writes, mounts on it do not', () => {
  using container = testContainer();
  const script = 'for f in /x /proc/sys/kernel/hostname /dev/shm/x; do echo x >$f; done';
  const { stderr } = container.sh(script, { op: 'ROOT_READ_ONLY' });
  assert.equal(stderr.match(/Read-only file system/g)?.length, 2, stderr);
  const skipped = container.sh('true', { op: 'READ_ONLY', path: '/not/there' });
  assert.equal(skipped.status, 0, skipped.stderr);
});

kernelTest('a root without an upper layer cannot be written', () => {
  using container = testContainer();
  writeFileSync(join(container.layer, 'there'), '');
  // Where there is nowhere to write, the places of the mounts have to be there: the host's own are.
  for (const lowers of [[container.layer, '/'], ['/']]) {
    const { status, stderr } = container.sh('touch /x', {
      op: 'ROOT_OVERLAY',
      flags: ROOT_FLAG_NO_UPPER,
      lowers,
      upper: '',
      work: '',
    });
    assert.equal(status, 1);
    assert.match(stderr, /'\/x': Read-only file system/);
  }
});

kernelTest('a hundred layers are one root, the first on top', () => {
  using container = testContainer();
  const lowers = Array.from({ length: 100 }, (_, index) =>
    join(container.folder, `layer, with:odd=name ${index}`),
  );
  for (const [index, layer] of lowers.entries()) {
    mkdirSync(layer);
    writeFileSync(join(layer, `layer-file${index}`), '');
    writeFileSync(join(layer, 'all'), `${index}\n`);
  }
  const op: ProgramOp = {
    op: 'ROOT_OVERLAY',
    lowers: [...lowers, '/'],
    upper: container.upper,
    work: join(container.folder, 'work'),
  };
  assert.equal(output(container, 'cat /all; ls -d /layer-file* | wc -l', op), '0\n100');
});

kernelTest('credentials are the program’s: capabilities, groups, umask, limits, no new privileges', () => {
  using container = testContainer();
  const script = `grep -E '^(Cap|NoNewPrivs|Uid|Gid|Groups|Seccomp:)' /proc/self/status; umask; ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj`;
  const lines = output(
    container,
    script,
    { op: 'USER', uid: 1234, gid: 2345, groups: [7, 8, 1_000_000] },
    { op: 'UMASK', umask: 0o027 },
    { op: 'RLIMIT', resource: 7, soft: 100n, hard: 200n },
    { op: 'OOM_SCORE_ADJ', value: 500 },
  );
  assert.equal(
    lines.replaceAll(/[\t ]+/g, ' ').replaceAll(/ $/gm, ''),
    [
      'Uid: 1234 1234 1234 1234',
      'Gid: 2345 2345 2345 2345',
      'Groups: 7 8 1000000',
      'CapInh: 0000000000000000',
      'CapPrm: 0000000000000000',
      'CapEff: 0000000000000000',
      'CapBnd: 00000000a80425fb',
      'CapAmb: 0000000000000000',
      'NoNewPrivs: 1',
      'Seccomp: 0',
      '0027',
      '100',
      '200',
      '500',
    ].join('\n'),
  );
});

kernelTest('ambient capabilities reach a command of another user', () => {
  using container = testContainer();
  const one = 1n << 13n;
  const lines = output(
    container,
    `grep ^Cap /proc/self/status | cut -f2`,
    { op: 'USER', uid: 1234, gid: 0, groups: [] },
    { op: 'CAPS', bounding: one, effective: one, permitted: one, inheritable: one, ambient: one },
  );
  assert.deepEqual(lines.split('\n'), Array(5).fill('0000000000002000'));
});

kernelTest('what the machine does not grant is left out with a warning', (t) => {
  const bounding = /^CapBnd:\t(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  if ((BigInt(`0x${bounding}`) & (1n << 24n)) !== 0n) {
    // With CAP_SYS_RESOURCE everything is granted; without it, as in a container, it is not.
    t.diagnostic('this machine grants all');
    return;
  }
  using container = testContainer();
  const { status, stdout, stderr } = container.sh(
    'grep CapBnd /proc/self/status; ulimit -Hn; cat /proc/self/oom_score_adj',
    caps(ALL_CAPS),
    { op: 'RLIMIT', resource: 7, soft: 1n << 20n, hard: 1n << 20n },
    { op: 'OOM_SCORE_ADJ', value: -999 },
  );
  assert.equal(status, 0, stderr);
  assert.ok(stdout.includes(bounding));
  assert.match(stderr, /^warning: capabilities 0x\w+ are not granted here; limit 7 stays at \d+/);
});

// BPF_LD | BPF_W | BPF_ABS nr; BPF_JMP | BPF_JEQ; BPF_RET
function refuse(call: number, errno: number): Uint8Array {
  const instructions = [
    [0x20, 0, 0, 0],
    [0x15, 0, 1, call],
    [0x06, 0, 0, 0x0005_0000 | errno],
    [0x06, 0, 0, 0x7fff_0000],
  ] as const;
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [index, [code, yes, no, k]] of instructions.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(yes, index * 8 + 2);
    bytes.writeUInt8(no, index * 8 + 3);
    bytes.writeUInt32LE(k, index * 8 + 4);
  }
  return bytes;
}

kernelTest(
  'a seccomp filter is in force, with and without no_new_privs, and a bad one stops the command',
  () => {
    using container = testContainer();
    const mkdir = process.arch === 'arm64' ? 34 : 83;
    const filter: ProgramOp = { op: 'SECCOMP', filterFlags: 0, filter: refuse(mkdir, 95) };
    const script = 'grep Seccomp: /proc/self/status; mkdir /x';
    for (const without of [false, true]) {
      const ops = container.ops(
        ['sh', '-c', script],
        [filter, { op: 'USER', uid: 1000, gid: 1000, groups: [] }],
      );
      const kept = ops.filter(({ op }) => !(without && op === 'NO_NEW_PRIVS'));
      const { stdout, stderr } = runOnce(container.write('program', kept));
      assert.match(stdout, /Seccomp:\t2/);
      assert.match(stderr, /Operation not supported/);
    }
    const bad = container.sh('echo it runs', { op: 'SECCOMP', filterFlags: 0, filter: new Uint8Array(8) });
    assert.deepEqual(bad, {
      status: 125,
      stdout: '',
      stderr: 'nslab: load the seccomp filter: Invalid argument\n',
    });
  },
);

kernelTest('the working directory is made, and one behind /proc/self/fd is refused (CVE-2024-21626)', () => {
  using container = testContainer();
  assert.equal(output(container, 'pwd -P', { op: 'CWD', path: '/made/for/it' }), '/made/for/it');
  for (let fd = 3; fd < 15; fd++) {
    for (const path of [`/proc/self/fd/${fd}`, `/proc/self/fd/${fd}/../..`, `/proc/1/fd/${fd}/tmp`]) {
      assertRefused(container, /CWD: |working directory /, { op: 'CWD', path });
    }
  }
  symlinkSync('/proc/self/fd/8', join(container.layer, 'link'));
  assertRefused(container, /CWD: \/link: /, { op: 'CWD', path: '/link' });
});

kernelTest('no descriptor above 2 reaches the command, whatever the caller had open', () => {
  using container = testContainer();
  const file = container.write('program', container.ops(['/bin/ls', '/proc/self/fd']));
  const root = openSync('/', 'r');
  try {
    const stdio = ['ignore', 'pipe', 'inherit', root, root, root, root] as const;
    const { stdout } = spawnSync(helperPath(), ['_run-once', file], { encoding: 'utf8', stdio: [...stdio] });
    // The fourth is ls's own.
    assert.equal(stdout, '0\n1\n2\n3\n');
    const inside = container.write('exec', processOps(['/bin/ls', '/proc/self/fd']));
    const sleeping = container.write('program', container.ops(['sleep', '1000']));
    const exec = spawnSync(helperPath(), ['_run-once', sleeping, inside], {
      encoding: 'utf8',
      stdio: [...stdio],
    });
    assert.equal(exec.stdout, '0\n1\n2\n3\n');
  } finally {
    closeSync(root);
  }
});

kernelTest('a terminal is a pty of the container’s own, its session’s, and its console', () => {
  using container = testContainer();
  const terminal: ProgramOp = { op: 'TERMINAL', rows: 33, columns: 77 };
  const script = `tty; stty size; stat -c '%t:%T %u' /dev/console /dev/pts/0; ps -o tty=,sid= -p 1; echo there >/dev/console; ls /proc/self/fd`;
  const { status, stdout } = container.sh(script, terminal, { op: 'USER', uid: 77, gid: 77, groups: [] });
  assert.equal(status, 0);
  assert.equal(
    stdout.replaceAll('\r', '').replaceAll(/ +/g, ' '),
    '/dev/pts/0\n33 77\n88:0 77\n88:0 77\npts/0 1\nthere\n0 1 2 3\n',
  );
});

kernelTest('without a terminal there is no controlling one to push characters into (TIOCSTI)', () => {
  using container = testContainer();
  const { stderr } = container.sh('exec </dev/tty');
  assert.match(stderr, /\/dev\/tty: No such device or address/);
});

kernelTest('a terminal needs the container’s own devpts', () => {
  using container = testContainer();
  const ops = container
    .ops(['true'], [{ op: 'TERMINAL', rows: 1, columns: 1 }])
    .filter((op) => op.op !== 'MOUNT' || op.fstype !== 'devpts');
  assert.match(runOnce(container.write('program', ops)).stderr, /TERMINAL: the program mounts no devpts/);
});

kernelTest('a host name and sysctls are the container’s alone', () => {
  using container = testContainer();
  const key = 'net.ipv4.ip_unprivileged_port_start';
  const before = readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8');
  const inside = output(
    container,
    'hostname; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmni /proc/sys/fs/mqueue/msg_max /proc/sys/net/ipv4/conf/lo/forwarding',
    { op: 'SYSCTL', key, value: '17' },
    { op: 'SYSCTL', key: 'kernel.shmmni', value: '99' },
    { op: 'SYSCTL', key: 'fs.mqueue.msg_max', value: '33' },
    { op: 'SYSCTL', key: 'net.ipv4.conf.lo.forwarding', value: '1' },
  );
  assert.equal(inside, 'inside\n17\n99\n33\n1');
  assert.notEqual(hostname(), 'inside');
  assert.equal(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'), before);
});

kernelTest('a sysctl of the whole machine, or one that leads elsewhere, is refused', () => {
  using container = testContainer();
  for (const key of [
    ...['kernel.core_pattern', 'kernel.hostname', 'vm.swappiness', 'fs.file-max', 'kernel.shmmax2', ''],
    ...['net', 'net.', 'net././/.kernel.core_pattern', 'net.....kernel.core_pattern', 'net.ipv4.nosuch'],
  ]) {
    assertRefused(container, /SYSCTL: /, { op: 'SYSCTL', key, value: '|/bin/false' });
  }
  assertRefused(container, /SYSCTL: net.ipv4.ip_forward: more than one line/, {
    op: 'SYSCTL',
    key: 'net.ipv4.ip_forward',
    value: '1\n1',
  });
  assertRefused(
    container,
    /SYSCTL: net.ipv4.ip_forward belongs to no namespace of the container's: Operation not permitted/,
    { op: 'NAMESPACES', types: CLONE.mnt | CLONE.uts },
    { op: 'SYSCTL', key: 'net.ipv4.ip_forward', value: '1' },
  );
});

kernelTest('a command that is not there or cannot run is an error before anything runs', () => {
  using container = testContainer();
  writeFileSync(join(container.layer, 'text'), 'not a program', { mode: 0o644 });
  for (const [name, message] of [
    ['no-such-command', /op \d+ ARGV: no-such-command: executable file not found in \$PATH/],
    ['/no/such', /ARGV: \/no\/such: No such file or directory/],
    ['/text', /ARGV: \/text: Permission denied/],
    ['/etc', /ARGV: \/etc: Permission denied/],
    ['', /ARGV: /],
  ] as const) {
    const { status, stderr } = container.run([name]);
    assert.equal(status, 4);
    assert.match(stderr, message);
  }
  // Root may, the user may not: that shows only when it runs.
  const forbidden = container.run(['/usr/bin/true'], [{ op: 'USER', uid: 99, gid: 99, groups: [] }]);
  assert.equal(forbidden.status, 0);
  writeFileSync(join(container.layer, 'own'), '#!/bin/sh\n', { mode: 0o700 });
  const own = container.run(['/own'], [{ op: 'USER', uid: 99, gid: 99, groups: [] }, caps(0n)]);
  assert.deepEqual([own.status, own.stderr], [126, 'nslab: cannot run /own: Permission denied\n']);
});

kernelTest('PATH is the container’s, and its command is found from its working directory', () => {
  using container = testContainer();
  mkdirSync(join(container.layer, 'opt/tools'), { recursive: true });
  writeFileSync(join(container.layer, 'opt/tools/tool'), '#!/bin/sh\necho "found $0 $A"\n', { mode: 0o755 });
  const env: ProgramOp = { op: 'ENV', env: ['PATH=/nowhere:/opt/tools', 'A=b'] };
  assert.equal(container.run(['tool'], [env]).stdout, 'found /opt/tools/tool b\n');
  const cwd: ProgramOp = { op: 'CWD', path: '/opt' };
  assert.equal(container.run(['tools/tool'], [cwd]).stdout, 'found tools/tool \n');
});

// Security list 3 to 6 and 12: a root file system that lies about its folders.

/** A folder of the machine that must stay empty, and its name inside of the container, where it must not matter. */
function outside(container: TestContainer): string {
  const path = join(container.folder, 'outside');
  mkdirSync(path);
  return path;
}

kernelTest('links in the place of /dev and /etc lead nowhere but into the root (CVE-2026-41579)', () => {
  using container = testContainer();
  const trap = outside(container);
  symlinkSync(trap, join(container.layer, 'dev'));
  symlinkSync(`../../../../../..${trap}`, join(container.layer, 'etc'));
  const { status, stdout, stderr } = container.sh(
    'stat -c %t:%T /dev/null; cat /etc/hostname',
    bind('/etc/hostname', '/etc/hostname'),
    device('/dev/deep/one', 1, 3),
  );
  assert.deepEqual(readdirSync(trap), [], stderr);
  assert.equal(status, 0, stderr);
  assert.equal(stdout, `1:3\n${readFileSync('/etc/hostname', 'utf8')}`);
});

kernelTest('a link in the place of /proc or /sys is refused (CVE-2019-19921)', () => {
  for (const name of ['proc', 'sys']) {
    using container = testContainer();
    symlinkSync('/tmp', join(container.layer, name));
    assertRefused(container, new RegExp(`MOUNT: /${name}: Too many levels of symbolic links`));
  }
});

kernelTest('a mount behind a link to a file of /proc is refused (CVE-2019-16884)', () => {
  using container = testContainer();
  symlinkSync('/proc/self/attr', join(container.layer, 'data'));
  symlinkSync('/proc/sys/kernel', join(container.layer, 'more'));
  assertRefused(container, /MOUNT: \/data: a symbolic link leads to \/proc/, mount('tmpfs', '/data', 0n));
  assertRefused(container, /BIND: \/more: a symbolic link leads to \/proc/, bind('/etc', '/more'));
});

kernelTest('/dev/null of the image is never what standard descriptors and masks are (CVE-2025-31133)', () => {
  using container = testContainer();
  mkdirSync(join(container.layer, 'dev'));
  symlinkSync('/proc/sys/kernel/core_pattern', join(container.layer, 'dev/null'));
  symlinkSync('/proc/sys/kernel/core_pattern', join(container.layer, 'dev/console'));
  writeFileSync(join(container.layer, 'secret'), 'secret\n');
  const before = readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
  // The image's own /dev, without a tmpfs over it.
  const ops = container
    .ops(
      [
        'sh',
        '-c',
        'cat /secret; readlink /proc/self/fd/0; stat -Lc %t:%T /proc/self/fd/0; stat -c %t:%T /secret',
      ],
      [{ op: 'MASK', path: '/secret' }],
    )
    .filter(
      (op) =>
        op.op !== 'DEVICE' && op.op !== 'SYMLINK' && !(op.op === 'MOUNT' && op.target.startsWith('/dev')),
    );
  const { status, stdout, stderr } = runOnce(container.write('program', ops));
  assert.equal(status, 0, stderr);
  assert.match(stdout, /\n1:3\n1:3\n$/);
  assert.doesNotMatch(stdout, /secret/);
  const terminal = withExtra(
    [...ops, mount('devpts', '/dev/pts', 0n, 'newinstance')].sort(
      (a, b) => Number(b.op === 'MOUNT') - Number(a.op === 'MOUNT'),
    ),
    [{ op: 'TERMINAL', rows: 1, columns: 1 }],
  );
  const refused = runOnce(container.write('program', terminal));
  assert.match(refused.stderr, /TERMINAL: \/dev\/console: a symbolic link leads to \/proc/);
  assert.equal(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'), before);
});

kernelTest('an image’s device of another kind in the place of ours is refused', () => {
  using container = testContainer();
  mkdirSync(join(container.layer, 'devices'));
  execFileSync('mknod', [join(container.layer, 'devices/null'), 'c', '1', '5']);
  execFileSync('mknod', [join(container.layer, 'devices/same'), 'c', '1', '3']);
  assertRefused(container, /DEVICE: \/devices\/null: File exists/, device('/devices/null', 1, 3));
  assert.equal(output(container, 'echo made', device('/devices/same', 1, 3)), 'made');
  assertRefused(container, /DEVICE: \/x\/\.\.\/y: "\.\."/, device('/x/../y', 1, 3));
});

kernelTest('destinations behind links stay in the root: folders, files, dangling ones', () => {
  using container = testContainer();
  const trap = outside(container);
  writeFileSync(join(container.folder, 'source'), 'from the machine\n');
  symlinkSync(trap, join(container.layer, 'folder'));
  symlinkSync(`${trap}/new-file`, join(container.layer, 'file'));
  symlinkSync('../../run/no/such/resolv.conf', join(container.layer, 'resolv.conf'));
  symlinkSync('loop', join(container.layer, 'loop'));
  const { status, stdout, stderr } = container.sh(
    `cat /file /resolv.conf /run/no/such/resolv.conf; ls ${trap}; ls -d ${trap}/deep/made`,
    mount('tmpfs', '/run', 0n),
    mount('tmpfs', '/folder', 0n),
    bind(join(container.folder, 'source'), '/file'),
    bind(join(container.folder, 'source'), '/resolv.conf'),
    { op: 'MKDIR', path: '/folder/deep/made', mode: 0o700, uid: 1, gid: 2 },
  );
  assert.equal(status, 0, stderr);
  const once1 = 'from the machine\n';
  assert.equal(stdout, `${once1.repeat(3)}deep\nnew-file\n${trap}/deep/made\n`);
  assert.deepEqual(readdirSync(trap), []);
  assertRefused(container, /MOUNT: \/loop: Too many levels of symbolic links/, mount('tmpfs', '/loop', 0n));
});

kernelTest(
  'a folder that is swapped with a link all the time never lets a mount out (CVE-2021-30465)',
  async () => {
    using container = testContainer();
    const trap = outside(container);
    const shared = join(container.folder, 'shared');
    mkdirSync(join(shared, 'real'), { recursive: true });
    symlinkSync(trap, join(shared, 'link'));
    const swap = `const { renameSync } = require('node:fs'); process.chdir(${JSON.stringify(shared)});
    for (;;) { renameSync('real', 'x'); renameSync('link', 'real'); renameSync('x', 'link'); }`;
    const racer = spawn(process.execPath, ['-e', swap], { stdio: 'ignore' });
    try {
      let good = 0;
      for (let round = 0; round < 60; round++) {
        const { status, stdout } = container.sh(
          'cat /proc/self/mountinfo',
          bind(shared, '/shared'),
          mount('tmpfs', '/shared/real/inside', 0n),
        );
        assert.deepEqual(readdirSync(trap), []);
        if (status !== 0) continue;
        good += 1;
        // It may have become a folder of the container's own with the trap's path, or the shared one.
        for (const [, point = ''] of stdout.matchAll(/ (\S*inside) /g)) {
          assert.ok(point.startsWith('/shared/') || point.startsWith(trap), point);
        }
      }
      assert.ok(good > 0);
    } finally {
      const closed = once(racer, 'close');
      racer.kill('SIGKILL');
      await closed;
    }
  },
);

kernelTest('a tmpfs over /proc neither hinders the helper nor lets it write there', () => {
  using container = testContainer();
  const fake: ProgramOp[] = [
    mount('tmpfs', '/proc', 0n),
    { op: 'MKDIR', path: '/proc/self', mode: 0o755, uid: 0, gid: 0 },
    bind(join(container.folder, 'score'), '/proc/self/oom_score_adj'),
    { op: 'OOM_SCORE_ADJ', value: 321 },
    { op: 'SYSCTL', key: 'net.ipv4.ip_unprivileged_port_start', value: '7' },
  ];
  writeFileSync(join(container.folder, 'score'), 'untouched');
  const file = container.write('program', container.ops(['sh', '-c', 'echo runs; sleep 1000'], fake));
  const inside = container.write('exec', [
    ...processOps(['cat', '/proc/self/oom_score_adj']),
    { op: 'OOM_SCORE_ADJ', value: 4 },
  ]);
  const { status, stdout, stderr } = runOnce(file, inside);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /untouched/);
});

/** A container that runs until it is killed; it has started when it prints something. */
async function running(
  container: TestContainer,
  script: string,
  extra: readonly ProgramOp[] = [],
  helper = helperPath(),
): Promise<{ child: ChildProcess; stdout: Readable; init: string }> {
  const file = container.write('running', container.ops(['sh', '-c', script], extra));
  const child = spawn(helper, ['_run-once', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'readable');
  const init = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
  return { child, stdout: child.stdout, init };
}

/** Also of one that has just ended by itself. */
async function end({ child }: { child: ChildProcess }): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

kernelTest(
  'the helper’s file cannot be written through /proc/PID/exe, by whatever privileges (CVE-2019-5736)',
  async () => {
    using hostile = testContainer();
    using victim = testContainer();
    // Copies, so that no other process executes the file in the end: until then ETXTBSY would protect it as well.
    const [one, two] = ['one', 'two'].map((name) => join(hostile.folder, name)) as [string, string];
    for (const copy of [one, two]) copyFileSync(helperPath(), copy);
    const before = readFileSync(two);
    const script = `
    echo ready
    find_helper() { for p in /proc/[0-9]*; do grep -qs ^nslab-init $p/comm && exec 5<$p/exe && return; done; false; }
    until find_helper; do sleep 0.05; done
    echo found
    while [ -e $p/ns/mnt ]; do sleep 0.05; done
    grep mnt_id /proc/self/fdinfo/5
    exec 2>&1
    (: >>/proc/self/fd/5); (: >/proc/self/fd/5)
    chmod 777 /proc/self/fd/5; touch /proc/self/fd/5; truncate -s 5 /proc/self/fd/5
    mount -o remount,bind,rw /proc/self/fd/5; touch /file; mount --bind /proc/self/fd/5 /file && echo bound
    echo over`;
    const attacker = await running(hostile, script, [caps(ALL_CAPS)], one);
    let text = '';
    attacker.stdout.on('data', (chunk) => {
      text += chunk;
    });
    try {
      const inside = await running(
        victim,
        'echo; exec sleep 1000',
        [
          { op: 'INIT' },
          { op: 'NAMESPACES', types: CLONE.mnt | CLONE.uts },
          { op: 'JOIN', type: CLONE.pid, path: `/proc/${attacker.init}/ns/pid` },
        ],
        two,
      );
      await until('the attacker has the file open', () => text.includes('found'));
      await end(inside);
      await until('the attacker is through', () => text.includes('over'));
    } finally {
      await end(attacker);
    }
    assert.equal(text.match(/Read-only file system/g)?.length, 5, text);
    assert.doesNotMatch(text, /bound/);
    const id = /mnt_id:\t(\d+)/.exec(text)?.[1];
    assert.ok(id !== undefined && !readFileSync('/proc/self/mountinfo', 'utf8').includes(`\n${id} `));
    assert.ok(before.equals(readFileSync(two)));
    // By its name the file can be written: nothing but the mount protected it.
    appendFileSync(two, 'x');
  },
);

kernelTest('PID 1 of ours keeps the container out unless it may trace the whole machine’s processes', () => {
  using container = testContainer();
  const { stderr } = container.sh('ls -l /proc/1/exe; cat /proc/1/environ; cat /proc/1/maps', {
    op: 'INIT',
  });
  assert.equal(stderr.match(/Permission denied/g)?.length, 3, stderr);
});

kernelTest('what is left of a container that could not be made: nothing', async () => {
  using container = testContainer();
  assertRefused(container, /MASK: \/a\/\.\.: "\.\."/, { op: 'MASK', path: '/a/..' });
  const mine = readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(container.folder);
    } catch {
      return false;
    }
  });
  assert.deepEqual(mine, []);
});

kernelTest('init dies with its parent, also after it has become another user', async () => {
  using container = testContainer();
  const alive = await running(container, 'echo; exec sleep 1000', [
    { op: 'USER', uid: 1234, gid: 1234, groups: [] },
  ]);
  await end(alive);
  await until('init is dead', () => !existsSync(`/proc/${alive.init}/ns/mnt`));
});

// Joining, as exec and health checks do.

kernelTest('a command inside has the container’s namespaces, root and rights', () => {
  using container = testContainer();
  const script = `${namespaceScript}; grep -E '^(Cap|NoNew)' /proc/self/status; hostname; cat /proc/1/comm`;
  const init = container.write('program', container.ops(['sh', '-c', `${namespaceScript}; exec sleep 1000`]));
  const inside = container.write('exec', processOps(['sh', '-c', `sleep 0.2; ${script}; exit 9`]));
  const { status, stdout, stderr } = runOnce(init, inside);
  assert.equal(status, 9, stderr);
  const lines = stdout.trim().split('\n');
  assert.deepEqual(lines.slice(0, 6), lines.slice(6, 12));
  assert.deepEqual(lines.slice(12), [
    'CapInh:\t0000000000000000',
    'CapPrm:\t00000000a80425fb',
    'CapEff:\t00000000a80425fb',
    'CapBnd:\t00000000a80425fb',
    'CapAmb:\t0000000000000000',
    'NoNewPrivs:\t1',
    'inside',
    'sleep',
  ]);
});

kernelTest('a command inside that is not there ends with 127, one that cannot run with 126', () => {
  using container = testContainer();
  const init = container.write('program', container.ops(['sleep', '1000']));
  for (const [name, status] of [
    ['no-such-command', 127],
    ['/etc', 126],
  ] as const) {
    const result = runOnce(init, container.write('exec', processOps([name])));
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, /^nslab: cannot run /);
  }
  const cwd = withExtra(processOps(['true']), [{ op: 'CWD', path: '/proc/self/fd/1' }]);
  assert.equal(runOnce(init, container.write('exec', cwd)).status, 125);
});

// Cgroups: whichever hierarchies this machine has.

type Hierarchy = { readonly point: string; readonly unified: boolean };

function hierarchies(): Hierarchy[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => /^\S+ \S+ \S+ \/ (\S+) .* - (cgroup2?) \S+ (\S+)/.exec(line))
    .filter((match) => match !== null)
    .filter(([, , , options = '']) => !options.includes('cpuset'))
    .map(([, point = '', type]) => ({ point, unified: type === 'cgroup2' }));
}

kernelTest(
  'init is in its cgroups before its first instruction, and they are the root of what it sees',
  (t) => {
    const found = hierarchies();
    if (found.length === 0) return skipKernelLacks(t, 'mounted cgroups');
    using container = testContainer();
    const made = found.map(({ point, unified }) => ({
      directory: join(point, `t-nslab-${process.pid}`),
      unified,
    }));
    try {
      for (const { directory } of made) mkdirSync(directory);
      const ops = made.map(
        ({ directory, unified }): ProgramOp => ({ op: 'CGROUP', flags: unified ? 1 : 0, directory }),
      );
      const init = container.write('program', container.ops(['sh', '-c', 'exec sleep 1000'], ops));
      const list = `cat ${made.map(({ directory }) => `${directory}/cgroup.procs`).join(' ')} >&2; cut -d: -f3 /proc/self/cgroup | sort -u`;
      const inside = container.write('exec', [...processOps(['sh', '-c', list]), ...ops]);
      const { stdout, status } = runOnce(init, inside);
      assert.equal(status, 0);
      // Outside of the listed hierarchies it is where the test is.
      assert.ok(stdout.split('\n').includes('/'), stdout);
      for (const { directory } of made) assert.equal(readFileSync(`${directory}/cgroup.procs`, 'utf8'), '');
      const empty = container.sh('true', { op: 'CGROUP', directory: container.folder });
      assert.match(empty.stderr, /CGROUP: \S+ is not on a cgroup file system/);
    } finally {
      for (const { directory } of made) if (existsSync(directory)) rmdirSync(directory);
    }
    return undefined;
  },
);

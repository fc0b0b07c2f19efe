// Root file systems and commands that try to get at the machine, or at their runner: races at the destinations of mounts, files of
// the wrong kind in every place that is looked at, set-user-id programs, the runner's processes, keys, and `exec` into a container
// whose files lie. What it costs them is told by the kernel; what they reach is looked at from outside.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodeProgram } from '../../src/container/program.ts';
import type { ProgramOp } from '../../src/container/program-ops.ts';
import { rounds } from '../support/emulated.ts';
import { type Exec, inLab } from '../support/in-lab.ts';
import { eventually, isAlive, type Monitored, monitored, startAll } from '../support/monitored.ts';
import { uniqueName } from '../support/pinned-lab.ts';
import {
  bind,
  caps,
  device,
  helperPath,
  machineMounts,
  mount,
  runOnce,
  type TestContainer,
  testContainer,
} from '../support/program-writer.ts';
import { skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

function kernelTest(title: string, body: (t: TestContext) => void | Promise<void>): void {
  test(title, (t) => {
    if (!skipUnlessRoot(t)) return body(t);
    return undefined;
  });
}

const sh = (script: string): string[] => ['/bin/sh', '-c', script];
const uid = (id: number): ProgramOp => ({ op: 'USER', uid: id, gid: id, groups: [] });

/** A process that changes the names below `folder` without end. */
function racer(folder: string, script: string): ChildProcess {
  const loop = `const fs = require('node:fs'); process.chdir(${JSON.stringify(folder)}); for (;;) { ${script} }`;
  return spawn(process.execPath, ['-e', loop], { stdio: 'ignore' });
}

async function end(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

/** Folders for `_start`, with a program each; all in the one that the container's test has. */
function many(
  container: TestContainer,
  count: number,
  argv: readonly string[],
  extra: ProgramOp[],
): string[] {
  return Array.from({ length: count }, (_, index) => {
    const folder = join(container.folder, `run${index}`);
    for (const name of ['upper', 'work']) mkdirSync(join(folder, name), { recursive: true });
    const root: ProgramOp = {
      op: 'ROOT_OVERLAY',
      lowers: [container.layer, '/'],
      upper: join(folder, 'upper'),
      work: join(folder, 'work'),
    };
    const log: ProgramOp = { op: 'LOG', path: join(folder, 'log'), bytes: 0n, files: 1 };
    writeFileSync(join(folder, 'program'), encodeProgram([log, ...container.ops(argv, [root, ...extra])]));
    return folder;
  });
}

kernelTest(
  'two hundred containers are made while a volume swaps folders, files and links under their mounts',
  async (t) => {
    using container = testContainer();
    const shared = join(container.folder, 'shared');
    const trap = join(container.folder, 'trap');
    for (const folder of [join(shared, 'real'), join(trap, 'inside')]) mkdirSync(folder, { recursive: true });
    writeFileSync(join(trap, 'file'), 'of the machine\n');
    writeFileSync(join(container.folder, 'source'), 'bound\n');
    symlinkSync(trap, join(shared, 'link'));
    // A link to the machine's folder and one out by way of the root's parents, in turns with a folder.
    const swap = racer(
      shared,
      `fs.renameSync('real', 'x'); fs.renameSync('link', 'real'); fs.renameSync('x', 'link');`,
    );
    const before = machineMounts();
    const folders = many(
      container,
      rounds(200, 20),
      ['cat', '/proc/self/mountinfo'],
      [
        bind(shared, '/shared'),
        mount('tmpfs', '/shared/real/inside', 0n),
        bind(join(container.folder, 'source'), '/shared/real/file'),
        device('/shared/real/null', 1, 3),
        { op: 'SYMLINK', target: '/etc/shadow', path: '/shared/real/shadow' },
        { op: 'MKDIR', path: '/shared/real/made/deep', mode: 0o777, uid: 7, gid: 7 },
        { op: 'MASK', path: '/shared/real/file' },
        { op: 'READ_ONLY', path: '/shared/real' },
      ],
    );
    try {
      const begun = folders.map((folder) => [folder]);
      let ran = 0;
      while (begun.length > 0) {
        const { stdout } = startAll(...begun.splice(0, 20).flat());
        ran += stdout.match(/ ok \d+$/gm)?.length ?? 0;
      }
      t.diagnostic(`${ran} of ${folders.length} were made, the others refused`);
      assert.ok(ran > 0, 'none was made');
    } finally {
      await end(swap);
      for (const folder of folders) spawnSync(helperPath(), ['_control', folder, 'end'], { stdio: 'ignore' });
    }
    // Whatever a container was given stands in the volume or in its own root: the machine's folder is as it was.
    assert.deepEqual(readdirSync(trap).sort(), ['file', 'inside']);
    assert.equal(readFileSync(join(trap, 'file'), 'utf8'), 'of the machine\n');
    assert.deepEqual(machineMounts(), before);
    assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(trap));
  },
);

/** Puts something of the wrong kind at the path. */
const kinds: Readonly<Record<string, (path: string) => void>> = {
  file: (path) => writeFileSync(path, ''),
  fifo: (path) => execFileSync('mkfifo', [path]),
  device: (path) => execFileSync('mknod', [path, 'c', '1', '5']),
  socket: (path) =>
    execFileSync('perl', [
      '-MSocket',
      '-e',
      'socket(S,AF_UNIX,SOCK_STREAM,0); bind(S,sockaddr_un($ARGV[0])) or die',
      path,
    ]),
  dangling: (path) => symlinkSync('/no/such/place', path),
  loop: (path) => symlinkSync(path.split('/').at(-1) ?? '', path),
};

kernelTest(
  'anything but a folder in the place of /proc, /sys, /dev or below is refused, and nothing waits',
  () => {
    for (const [kind, make] of Object.entries(kinds)) {
      for (const place of ['proc', 'sys', 'dev', 'run']) {
        using container = testContainer();
        make(join(container.layer, place));
        const before = machineMounts();
        const { status, stdout, stderr } = container.sh('echo it runs', mount('tmpfs', '/run/below', 0n));
        // A link may be followed inside of the root, but for /proc and /sys.
        if (kind === 'dangling' && (place === 'dev' || place === 'run'))
          assert.equal(stdout, 'it runs\n', stderr);
        else {
          assert.equal(status, 4, `${kind} ${place}: ${stdout}${stderr}`);
          assert.match(stderr, /^error\[HOST_REFUSED\] op \d+ [A-Z_]+: \/(proc|sys|dev|run)/);
        }
        assert.deepEqual(machineMounts(), before);
      }
    }
  },
);

kernelTest(
  'a file is bound over whatever an image has there, and the image’s own is neither opened nor followed',
  () => {
    const trap = join('/tmp', uniqueName());
    writeFileSync(trap, 'of the machine\n');
    try {
      const places = { ...kinds, out: (path: string) => symlinkSync(`../../../../../../..${trap}`, path) };
      for (const [kind, make] of Object.entries(places)) {
        using container = testContainer();
        mkdirSync(join(container.layer, 'etc'));
        writeFileSync(join(container.folder, 'source'), 'bound\n');
        make(join(container.layer, 'etc/hosts'));
        const { stdout, stderr, status } = container.sh(
          'cat /etc/hosts',
          bind(join(container.folder, 'source'), '/etc/hosts'),
        );
        if (kind === 'loop') assert.match(stderr, /BIND: \/etc\/hosts: Too many levels of symbolic links/);
        else assert.deepEqual([kind, stdout, status], [kind, 'bound\n', 0], stderr);
        assert.equal(readFileSync(trap, 'utf8'), 'of the machine\n');
      }
    } finally {
      rmSync(trap);
    }
  },
);

kernelTest('a root that has nothing gets what it needs, and one that has a file for a folder says so', () => {
  using container = testContainer();
  const busybox = spawnSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).stdout.trim();
  const command = busybox === '' ? helperPath() : busybox;
  copyFileSync(command, join(container.layer, 'busybox'));
  chmodSync(join(container.layer, 'busybox'), 0o755);
  const root: ProgramOp = {
    op: 'ROOT_OVERLAY',
    lowers: [container.layer],
    upper: container.upper,
    work: join(container.folder, 'work'),
  };
  const made = container.run(['/busybox', ...(busybox === '' ? ['exec'] : ['ls', '/'])], [root]);
  // The helper, static as busybox is, says that it wants a node.
  if (busybox === '') assert.match(made.stderr, /error\[USAGE\]/);
  else assert.equal(made.stdout, 'busybox\ndev\nproc\nsys\n');
  writeFileSync(join(container.layer, 'var'), '');
  const refused = container.run(['/busybox'], [root, mount('tmpfs', '/var/run/x', 0n)]);
  assert.match(refused.stderr, /MOUNT: \/var\/run\/x: Not a directory/);
});

kernelTest('a set-user-id program gives nothing under no_new_privs, and does without it', () => {
  using container = testContainer();
  copyFileSync('/usr/bin/id', join(container.layer, 'root-id'));
  chmodSync(join(container.layer, 'root-id'), 0o4755);
  assert.equal(container.run(['/root-id', '-u'], [uid(1000)]).stdout, '1000\n');
  const without = container.ops(['/root-id', '-u'], [uid(1000)]).filter(({ op }) => op !== 'NO_NEW_PRIVS');
  assert.equal(runOnce(container.write('program', without)).stdout, '0\n');
});

kernelTest('file capabilities give nothing that the bounding set lacks', (t) => {
  using container = testContainer();
  copyFileSync('/bin/cat', join(container.layer, 'able'));
  // setxattr(2) of CAP_SYS_ADMIN (bit 21), permitted and effective: struct vfs_cap_data, VFS_CAP_REVISION_2, linux/capability.h.
  const value = '0100000200002000000000000000000000000000';
  const set =
    'my ($n, $file, $name, $value) = @ARGV; $value = pack "H*", $value; syscall($n + 0, $file, $name, $value, length $value, 0) == 0 or die $!';
  const number = process.arch === 'arm64' ? '5' : '188';
  execFileSync('perl', ['-e', set, number, join(container.layer, 'able'), 'security.capability', value]);
  const without = container
    .ops(['/able', '/proc/self/status'], [uid(1000)])
    .filter(({ op }) => op !== 'NO_NEW_PRIVS');
  const { stdout, stderr } = runOnce(container.write('program', without));
  t.diagnostic(stderr.trim());
  // execve(2) refuses outright what is effective in the file and not in the bounding set.
  assert.match(`${stdout}${stderr}`, /Operation not permitted|CapPrm:\t0000000000000000/);
  assert.doesNotMatch(stdout, /CapPrm:\t0*200000/);
});

kernelTest('the monitor cannot be traced or read, and nothing inside sees it', async () => {
  using container = monitored();
  const look =
    'for p in /proc/[0-9]*; do echo "$p $(cat $p/comm)"; done; ls /proc/1/root/run/nslab /proc/1/cwd/../run/nslab 2>&1; ls -d /proc/1/root/tmp/nslab-create-*';
  assert.match(
    container.start(
      sh(`${look}; sleep 100`),
      caps((1n << 41n) - 1n),
      mount('tmpfs', '/run', 0n),
      mount('tmpfs', '/tmp', 0n),
    ),
    /^ok/,
  );
  await eventually('it has looked', () => container.lines().length >= 4);
  const seen = container.lines().map(({ text }) => text);
  assert.deepEqual(
    seen.filter((text) => /^\/proc/.test(text)).map((text) => text.split(' ')[1]),
    ['sh', 'sh'].slice(0, seen.filter((text) => /^\/proc/.test(text)).length),
  );
  assert.ok(!seen.some((text) => text.startsWith('/proc/1/root/tmp/nslab-create')), seen.join('\n'));
  const monitor = container.state()['monitor'] ?? '';
  // Root without capabilities, as in a container that joined the machine's pid namespace: ptrace(2), "Ptrace access mode checking".
  const read = `cat /proc/${monitor}/maps; cat /proc/${monitor}/environ; readlink /proc/${monitor}/exe || echo no exe; : >>/proc/${monitor}/mem`;
  const { stdout, stderr } = spawnSync(
    'setpriv',
    ['--bounding-set', '-all', '--inh-caps', '-all', 'sh', '-c', read],
    { encoding: 'utf8' },
  );
  assert.equal(stdout, 'no exe\n');
  assert.equal(stderr.match(/Permission denied/g)?.length, 3, stderr);
});

kernelTest('the keys of the caller’s session are not the container’s', (t) => {
  if (!existsSync('/proc/keys')) return skipKernelLacks(t, 'keyrings');
  using container = testContainer();
  const keyctl = process.arch === 'arm64' ? 219 : 250;
  const addKey = process.arch === 'arm64' ? 217 : 248;
  // KEYCTL_JOIN_SESSION_KEYRING 1, KEYCTL_SEARCH 10 in KEY_SPEC_SESSION_KEYRING -3.
  const search = `my ($t, $d) = ("user", "nslab-test"); my $r = syscall(${keyctl}, 10, -3, $t, $d, 0); print $r < 0 ? "none\\n" : "found\\n";`;
  const program = container.write('program', container.ops(['perl', '-e', search]));
  const outside = `syscall(${keyctl}, 1, 0); my ($t, $d, $v) = ("user", "nslab-test", "secret");
    syscall(${addKey}, $t, $d, $v, 6, -3) > 0 or exit 77; ${search.replaceAll('my ($t, $d) = ("user", "nslab-test");', '')}
    system($ARGV[0], "_run-once", $ARGV[1]);`;
  const { status, stdout, stderr } = spawnSync('perl', ['-e', `$| = 1; ${outside}`, helperPath(), program], {
    encoding: 'utf8',
  });
  if (status === 77) return skipKernelLacks(t, 'keyrings');
  assert.equal(stdout, 'found\nnone\n', stderr);
  return undefined;
});

kernelTest('a tmpfs of the container takes no more than its size', () => {
  using container = testContainer();
  const { stdout } = container.sh(
    'cat /dev/zero >/dev/shm/a; cat /dev/zero >/small/b; stat -c %s /dev/shm/a /small/b; rm /small/b; echo again >/small/b && echo goes on',
    mount('tmpfs', '/small', 0n, 'size=1m'),
  );
  assert.equal(stdout, `${64 << 20}\n${1 << 20}\ngoes on\n`);
});

// exec, into files that lie.

type Files = Readonly<Record<string, string>>;

/** A container whose /etc has these instead of its own; `script` makes others. */
function hostileEtc(container: Monitored, files: Files, script = ':'): void {
  const layer = join(container.folder, 'layer/etc');
  mkdirSync(layer, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(layer, name), text);
  assert.match(container.start(sh(`${script}; echo ready; exec sleep 100`)), /^ok/);
}

const ready = (container: Monitored) =>
  eventually(
    'ready',
    () => existsSync(container.log) && container.lines().some(({ text }) => text === 'ready'),
  );

kernelTest(
  'exec -u takes no number for root that is not 0, whatever the container’s passwd says',
  async () => {
    await inLab(async ({ container, exec }) => {
      const passwd = [
        'minus:x:-1:-1::/:/bin/sh',
        'huge:x:4294967296:4294967296::/:/bin/sh',
        'most:x:4294967295:4294967295::/:/bin/sh',
        'hex:x:0x10:0x10::/:/bin/sh',
        'gid:x:1000:-1::/:/bin/sh',
        '1000:x:0:0::/:/bin/sh',
        '4294967296:x:0:0::/:/bin/sh',
        'www:x:33:33::/:/bin/sh',
        '',
      ].join('\n');
      hostileEtc(container, { passwd, group: 'root:x:0:\n77:x:0:www\nmany:x:-1:www\nwww:x:33:\n' });
      await ready(container);
      const as = (user: string) => exec(['-u', user, 'web', 'sh', '-c', 'id -u; id -g; id -G']);
      for (const user of [
        'minus',
        'huge',
        'most',
        'hex',
        'gid',
        '0x10',
        '1:',
        '-1',
        ':1',
        '4294967295',
        '4294967296',
        '1000',
        '',
        ' 0',
        '33:many',
        '33:-1',
      ]) {
        const { status, stdout, stderr } = as(user);
        assert.deepEqual([user, status, stdout], [user, 2, ''], stderr);
      }
      assert.equal(as('1000:77').stdout, '1000\n77\n77\n');
      // The group "77" has the number 0 and lists www; what the file says of a name is the container's own affair.
      assert.equal(as('www').stdout, '33\n33\n33 0\n');
      assert.equal(as('33:33').stdout, '33\n33\n33\n');
    });
  },
);

kernelTest('exec reads no accounts from a pipe, a device, a process or an endless file', async () => {
  const hostile: Readonly<Record<string, string>> = {
    fifo: 'mkfifo /etc/passwd',
    zero: 'ln -s /dev/zero /etc/passwd',
    environ: 'ln -s /proc/$(cat /pid)/environ /etc/passwd',
    pagemap: 'ln -s /proc/self/pagemap /etc/passwd',
    kmsg: 'ln -s /proc/kmsg /etc/passwd',
    stdin: 'ln -s /proc/self/fd/0 /etc/passwd',
    folder: 'mkdir /etc/passwd',
    loop: 'ln -s passwd /etc/passwd',
    long: '(echo evil:x:0:0::/:; head -c 2000000 /dev/zero | tr "\\0" "\\n") >/etc/passwd',
    nul: 'printf "evil\\0:x:0:0::/:\\nevil:x:0:0" >/etc/passwd',
  };
  await inLab(async ({ container, exec, words }) => {
    const evil = 'evil:x:0:0::/:/bin/sh\n';
    hostileEtc(container, {}, `env -i "A=$(printf '\\n${evil.trim()}')" sleep 1000 & echo $! >/pid`);
    await ready(container);
    // Ours, and no pipe, so that it could be read.
    const typed = join(container.folder, 'typed');
    writeFileSync(typed, evil);
    for (const [kind, script] of Object.entries(hostile)) {
      assert.equal(exec(['web', 'sh', '-c', `rm -rf /etc/passwd; ${script}`]).status, 0, kind);
      const [program = '', ...rest] = words;
      const { status, stderr } = spawnSync(program, [...rest, '-u', 'evil', 'web', 'true'], {
        encoding: 'utf8',
        stdio: [openSync(typed, 'r'), 'pipe', 'pipe'],
        timeout: 20_000,
      });
      assert.deepEqual([kind, status], [kind, 2], stderr);
      assert.match(stderr, /there is no user "evil"/);
      // A number and a group of its own need no file.
      assert.equal(exec(['-u', '5:6', 'web', 'id', '-u']).stdout, '5\n', kind);
    }
  });
});

kernelTest(
  'exec finds a hostile PATH, folder, loader and command to be the container’s own trouble',
  async () => {
    await inLab(async ({ container, exec }) => {
      hostileEtc(container, {});
      await ready(container);
      const inside = (script: string) => assert.equal(exec(['web', 'sh', '-c', script]).status, 0, script);
      inside(
        'mkdir -p /evil /gone; mkfifo /evil/fifo; ln -s /proc/self/fd/0 /evil/fd; ln -s loop /evil/loop; printf "#!/evil/fifo\\n" >/evil/script; chmod 755 /evil/script; cp /evil/script /evil/text; printf "\\177ELF" >/evil/text',
      );
      const run = (...words: string[]): ReturnType<Exec> => exec(words, 'typed');
      for (const [command, status] of [
        ['/evil/fifo', 126],
        ['/evil/loop', 126],
        ['/evil/script', 126],
        ['/evil/text', 126],
        ['/evil', 126],
        ['/evil/none', 127],
      ] as const) {
        const result = run('web', command);
        assert.deepEqual([command, result.status], [command, status], result.stderr);
      }
      for (const folder of [
        '/proc/self/fd/0',
        '/proc/self/fd/3',
        '/evil/fd',
        '/evil/fifo',
        '/evil/loop',
        '/proc/1/cwd/../../..',
      ]) {
        const result = run('-w', folder, 'web', 'pwd');
        if (result.status === 0) assert.match(result.stdout, /^\/\n$/, folder);
        else assert.equal(result.status, 125, `${folder}: ${result.stderr}`);
      }
      // A library that a dynamic helper would load, and a message catalogue that it would read, before it has given up its rights.
      inside(
        'mkdir -p /etc; echo /evil/lib.so >/etc/ld.so.preload; printf "passwd: evil\\n" >/etc/nsswitch.conf',
      );
      assert.match(run('-u', 'nobody', 'web', 'id', '-u').stdout, /^65534\n$/);
    });
  },
);

kernelTest('exec on a terminal takes it from a devpts or not at all', async () => {
  await inLab(async ({ container, words }) => {
    assert.match(
      container.start(
        sh(
          'umount /dev/pts; rm -rf /dev/ptmx; mkdir -p /trap; for f in ptmx 0; do mknod /dev/pts/$f c 1 5; done; echo ready; exec sleep 100',
        ),
        caps((1n << 41n) - 1n),
      ),
      /^ok/,
    );
    await ready(container);
    const { openTty } = await import('../support/tty.ts');
    const tty = openTty([...words, 'web', 'tty'], { rows: 5, columns: 50 });
    await tty.shown(/\/dev\/pts in the container is no devpts/);
    assert.equal(await tty.ended, 126);
  });
});

kernelTest(
  'processes and namespaces of a container are gone with its first process, whoever was left',
  async () => {
    using container = monitored();
    // Process 1 ends at once; what it has started is deaf, has a session of its own, and was handed to it.
    const deaf = `perl -e 'use POSIX; $SIG{$_} = "IGNORE" for qw(TERM INT HUP QUIT); setsid(); if (fork) { exit } sleep 1 while 1'`;
    assert.match(
      container.start(sh(`${deaf} & ${deaf} & sleep 0.3; ls /proc | grep -c '^[0-9]'; sleep 0.2; exit 3`)),
      /^ok/,
    );
    const init = Number(container.state()['pid']);
    const namespace = statSync(`/proc/${init}/ns/pid`).ino;
    assert.equal((await container.ask('wait')).text, 'exit 3');
    assert.ok(Number(container.lines().at(-1)?.text) >= 4, 'nobody was left behind');
    const left = readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && statSync(`/proc/${pid}/ns/pid`).ino === namespace;
      } catch {
        return false;
      }
    });
    assert.deepEqual(left, []);
    assert.ok(!isAlive(init));
  },
);

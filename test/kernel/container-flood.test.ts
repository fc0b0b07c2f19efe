// Containers that are too much: of output, of processes, of memory, of patience. Each is stopped by its own limits, the monitor
// neither grows nor hangs, and the machine has its processes and its disk afterwards.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ProgramOp } from '../../src/container/program-ops.ts';
import { readLog } from '../../src/lab/logs.ts';
import { patience, rounds } from '../support/emulated.ts';
import {
  cgroupWith,
  eventually,
  isAlive,
  type Monitored,
  monitored,
  privateMemory,
  type TestCgroup,
} from '../support/monitored.ts';
import { skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

const MIB = 1 << 20;

function kernelTest(title: string, body: (t: TestContext) => void | Promise<void>): void {
  test(title, (t) => {
    if (!skipUnlessRoot(t)) return body(t);
    return undefined;
  });
}

const sh = (script: string): string[] => ['/bin/sh', '-c', script];

function logBytes(container: Monitored): number {
  return readdirSync(container.folder)
    .filter((name) => /^log/.test(name))
    .reduce(
      (sum, name) => sum + (statSync(join(container.folder, name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
}

/** All that the log has kept, as `nslab logs` reads it: the bytes of each stream. */
async function readBack(container: Monitored): Promise<{ stdout: Buffer; stderr: Buffer; lines: number }> {
  const parts: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  let count = 0;
  for await (const lines of readLog({ folder: container.folder, goOn: () => false })) {
    count += lines.length;
    for (const { stream, text, partial } of lines) parts[stream].push(text, Buffer.from(partial ? '' : '\n'));
  }
  return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr), lines: count };
}

/** A cgroup with the controller, wherever the machine has it, and limits in it. */
function groupWith(
  controller: string,
  files: Readonly<Record<string, string>>,
): (TestCgroup & { readonly op: ProgramOp }) | undefined {
  const group = cgroupWith(controller);
  if (group === undefined) return undefined;
  for (const [file, value] of Object.entries(files)) {
    if (existsSync(join(group.directory, file))) writeFileSync(join(group.directory, file), value);
  }
  return { ...group, op: group.join };
}

kernelTest('a flood of output fills no disk, grows no monitor and ends', async (t) => {
  using container = monitored({ log: { bytes: BigInt(MIB), files: 3 } });
  const bytes = rounds(100, 10) * MIB;
  const begin = performance.now();
  container.start(
    sh(`yes "${'a line of a flood '.repeat(50)}" | head -c ${bytes}; echo; echo the last; sleep 100`),
  );
  const monitor = Number(container.state()['monitor']);
  const before = privateMemory(monitor, ['Private_Dirty']);
  let most = 0;
  await eventually('the last line', () => {
    most = Math.max(most, logBytes(container));
    return readFileSync(openLog(container), 'latin1').endsWith(' stdout F the last\n');
  });
  const grown = privateMemory(monitor, ['Private_Dirty']) - before;
  t.diagnostic(
    `${bytes / MIB} MiB in ${(performance.now() - begin).toFixed(0)} ms, ${most} bytes at most, grown by ${grown}`,
  );
  assert.ok(most <= 3 * MIB, `${most}`);
  assert.ok(grown < 128 * 1024, `${grown}`);
  assert.equal(container.control('stop', '1').text, 'ok');
});

/** Between two files of a rotation there is no log for a moment. */
function openLog(container: Monitored): string {
  return existsSync(container.log) ? container.log : '/dev/null';
}

kernelTest(
  'a line of ten megabytes without an end is kept in pieces, and so are arbitrary bytes',
  async () => {
    using container = monitored({ log: { bytes: 0n, files: 1 } });
    const noise = randomBytes(300_000);
    writeFileSync(join(container.folder, 'layer/noise'), noise);
    container.start(sh(`head -c ${10 * MIB} /dev/zero | tr '\\0' x; cat /noise >&2`));
    assert.equal((await container.ask('wait')).text, 'exit 0');
    const { stdout, stderr, lines } = await readBack(container);
    assert.equal(stdout.length, 10 * MIB);
    assert.ok(stdout.every((byte) => byte === 0x78));
    assert.ok(stderr.equals(noise));
    assert.ok(lines >= 640);
  },
);

kernelTest('whoever else writes into the output of a container does not keep it from ending', async () => {
  using container = monitored({ log: { bytes: BigInt(MIB), files: 2 } });
  container.start(sh('echo ready; exec sleep 100'));
  await eventually('ready', () => existsSync(container.log) && container.lines().length > 0);
  // As a process would that got it over a socket, in another container: it outlives this one and writes without end.
  const pipe = openSync(`/proc/${container.state()['pid']}/fd/1`, 'w');
  const stranger = spawn('yes', ['still here'], { stdio: ['ignore', pipe, 'ignore'] });
  closeSync(pipe);
  try {
    const begin = Date.now();
    assert.equal(container.control('stop', '100').text, 'ok');
    assert.equal(container.state()['status'], 'exited');
    assert.ok(Date.now() - begin < patience(5000));
  } finally {
    stranger.kill('SIGKILL');
  }
});

kernelTest('a full disk loses lines, not the container, and what is lost is told', async () => {
  // The log and what the container writes share one small file system, as they do on a machine with one disk.
  const disk = mkdtempSync(join(tmpdir(), 'nslab-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'nslab-small', disk]);
  try {
    using container = monitored({ log: { bytes: BigInt(64 * MIB), files: 2, path: join(disk, 'log') } });
    for (const name of ['upper', 'work']) mkdirSync(join(disk, name));
    const root: ProgramOp = {
      op: 'ROOT_OVERLAY',
      lowers: [join(container.folder, 'layer'), '/'],
      upper: join(disk, 'upper'),
      work: join(disk, 'work'),
    };
    container.start(
      sh('echo first; sleep 1; cat /dev/zero >/full; seq 20000; rm /full; sleep 0.2; echo last; exit 4'),
      root,
    );
    assert.equal((await container.ask('wait')).text, 'exit 4');
    assert.match(container.state()['error'] ?? '', /a part of the log is lost: No space left on device/);
    // What was cut off was taken back: every line is a whole one.
    for (const { time } of container.lines()) assert.match(time, /^[0-9-]{10}T[0-9:.]{18}Z$/);
    const texts = container.lines().map(({ text }) => text);
    const notes = texts.filter((text) => !/^(first|last|[0-9]+)$/.test(text));
    assert.ok(
      notes.every((text) => /^\S+: .*No space left on device$/.test(text)),
      notes.join('\n'),
    );
    assert.deepEqual([texts.at(0), texts.at(-1)], ['first', 'last']);
    assert.ok(texts.length < 20_000);
  } finally {
    execFileSync('umount', ['-l', disk]);
    rmdirSync(disk);
  }
});

kernelTest('a fork bomb is stopped by the limit of processes, and the machine can still fork', async (t) => {
  using group = groupWith('pids', { 'pids.max': '40' });
  if (group === undefined) return skipKernelLacks(t, 'the pids controller');
  using container = monitored();
  container.start(
    [
      'perl',
      '-e',
      '$SIG{CHLD} = "IGNORE"; $| = 1; while (1) { my $p = fork; if (!defined $p && !$told++) { print "no more: $!\\n" } select undef, undef, undef, 0.02 }',
    ],
    group.op,
  );
  await eventually(
    'it is refused one',
    () =>
      existsSync(container.log) &&
      container.lines().some(({ text }) => /^no more: Resource temporarily unavailable/.test(text)),
  );
  const current = Number(readFileSync(join(group.directory, 'pids.current'), 'utf8'));
  assert.ok(current > 30 && current <= 40, `${current}`);
  assert.equal(spawnSync('true').status, 0);
  // Each of forty is busy with forking; the namespace goes all the same.
  assert.equal(container.control('stop', '1').text, 'ok');
  assert.equal(container.state()['exit'], '137');
  container.control('end');
  return undefined;
});

kernelTest('a memory bomb ends by itself and is told as such', async (t) => {
  using group = groupWith('memory', {
    'memory.limit_in_bytes': '24M',
    'memory.memsw.limit_in_bytes': '24M',
    'memory.max': '24M',
    'memory.swap.max': '0',
  });
  if (group === undefined) return skipKernelLacks(t, 'the memory controller');
  using container = monitored();
  const counter =
    ['memory.oom_control', 'memory.events'].find((file) => existsSync(join(group.directory, file))) ?? '';
  container.start(['perl', '-e', '$x .= "x" x 1000000 while 1'], group.op, {
    op: 'OOM',
    file: join(group.directory, counter),
  });
  assert.equal((await container.ask('wait')).text, 'exit 137');
  const { oom, signal, status } = container.state();
  assert.deepEqual({ oom, signal, status }, { oom: '1', signal: '9', status: 'exited' });
  container.control('end');
  return undefined;
});

kernelTest('with init, a storm of orphans leaves no zombie', async () => {
  using container = monitored();
  const storm = rounds(60, 20);
  // Each child leaves one of its own behind and ends.
  const script = `$| = 1; for (1 .. ${storm}) { fork or do { fork; exit } } 1 while wait != -1; print "done\\n"; sleep 100`;
  container.start(['perl', '-e', script], { op: 'INIT' });
  await eventually(
    'the storm is over',
    () => existsSync(container.log) && container.lines().some(({ text }) => text === 'done'),
  );
  const init = container.state()['pid'];
  const children = () => readFileSync(`/proc/${init}/task/${init}/children`, 'utf8').trim().split(' ');
  await eventually('only the command is left', () => children().length === 1);
});

kernelTest(
  'what ignores SIGTERM, is stopped by SIGSTOP or leads a session of its own is killed after its time, with all it started',
  async () => {
    const deaf = 'use POSIX; $SIG{$_} = "IGNORE" for qw(TERM INT HUP QUIT USR1); $| = 1;';
    using container = monitored();
    container.start(['perl', '-e', `${deaf} fork; fork; setsid(); print "ready\\n"; sleep 1 while 1`]);
    using stopped = monitored();
    stopped.start(sh('(sleep 100 &) ; echo ready; kill -STOP -1; while :; do sleep 1; done'));
    for (const one of [container, stopped]) {
      await eventually('ready', () => existsSync(one.log) && one.lines().length > 0);
      const init = Number(one.state()['pid']);
      process.kill(init, 'SIGSTOP');
      const namespace = namespaceOf(String(init));
      const begin = Date.now();
      assert.equal(one.control('stop', '200').text, 'ok');
      const took = Date.now() - begin;
      assert.ok(took >= 200 && took < patience(5000), `${took}`);
      assert.deepEqual([one.state()['status'], one.state()['exit']], ['exited', '137']);
      assert.ok(!isAlive(init));
      const left = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && namespaceOf(pid) === namespace);
      assert.deepEqual(left, []);
    }
  },
);

kernelTest('a container stopped by SIGSTOP can be removed, and its monitor goes too', async () => {
  using container = monitored();
  container.start(['/bin/sleep', '100']);
  const { pid = '', monitor = '' } = container.state();
  process.kill(Number(pid), 'SIGSTOP');
  assert.equal(container.control('end').text, 'ok');
  assert.ok(!isAlive(Number(pid)));
  await eventually('its monitor is gone', () => !isAlive(Number(monitor)));
});

kernelTest('the control socket has a path, not a name that everybody can connect to', () => {
  using container = monitored();
  container.start(['/bin/sleep', '100']);
  const socket = statSync(join(container.folder, 'control'));
  assert.ok(socket.isSocket());
  assert.deepEqual([(socket.mode & 0o777).toString(8), socket.uid], ['700', 0]);
  const monitor = container.state()['monitor'];
  const own = readdirSync(`/proc/${monitor}/fd`).flatMap(
    (fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${monitor}/fd/${fd}`))?.[1] ?? [],
  );
  const table = readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const names = table
    .filter(([, , , , , , inode]) => own.includes(inode ?? ''))
    .map((fields) => fields[7] ?? '');
  assert.ok(
    names.some((name) => /^\/.*\/control$/.test(name)),
    names.join(),
  );
  assert.deepEqual(
    names.filter((name) => name.startsWith('@')),
    [],
  );
});

/** The pid namespace of a process, empty when it has ended. */
function namespaceOf(pid: string): string {
  return linkOf(`/proc/${pid}/ns/pid`);
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

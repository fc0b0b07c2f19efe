// The monitor of a container (src/helper/monitor.c and what it calls), driven as nslab drives it: `_start`, `_control`, `_attach`,
// and `nslab exec`. Looked at from outside, through RUN/state, the log, /proc and the cgroup's own files.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ProgramOp } from '../../src/container/program-ops.ts';
import { inLab } from '../support/in-lab.ts';
import {
  cgroupWith,
  collect,
  eventually,
  freezerCgroups,
  isAlive,
  type Monitored,
  monitored,
  privateMemory,
  startAll,
  type TestCgroup,
} from '../support/monitored.ts';
import { CLONE, helperPath } from '../support/program-writer.ts';
import { skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';
import { openTty } from '../support/tty.ts';

const POLICY = { onFailure: 1, always: 2, unlessStopped: 3 } as const;
const RFC3339_NANO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/;

function kernelTest(title: string, body: (t: TestContext) => void | Promise<void>): void {
  test(title, (t) => {
    if (!skipUnlessRoot(t)) return body(t);
    return undefined;
  });
}

const sh = (script: string): string[] => ['/bin/sh', '-c', script];
const restart = (policy: number, max = 0): ProgramOp => ({ op: 'RESTART', policy, max });
const stopOp = (signal: number, grace: number): ProgramOp => ({ op: 'STOP', signal, grace });

function health(
  script: string,
  times: Partial<Record<'interval' | 'timeout' | 'retries' | 'startPeriod', number>>,
): ProgramOp {
  const { interval = 50, timeout = 5000, retries = 2, startPeriod = 0 } = times;
  return { op: 'HEALTH', argv: sh(script), interval, timeout, retries, startPeriod, startInterval: 50 };
}

function texts(container: Monitored, stream = 'stdout'): string[] {
  return container
    .lines()
    .filter((line) => line.stream === stream)
    .map((line) => `${line.kind} ${line.text}`);
}

function lastText(container: Monitored): string | undefined {
  try {
    return container.lines().at(-1)?.text;
  } catch {
    return undefined;
  }
}

kernelTest(
  'told one by one, it starts each as soon as it is told, and those never told not at all',
  async () => {
    using first = monitored();
    using second = monitored();
    first.write(sh('exec sleep 60'));
    second.write(sh('exec sleep 60'));
    const helper = spawn(helperPath(), ['_start', '--when-told', first.folder, second.folder]);
    const answer = collect(helper);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(first.state()['status'], undefined, 'nobody has told it yet');
    helper.stdin?.write('.');
    await first.until('status', 'running');
    assert.equal(second.state()['status'], undefined);
    helper.stdin?.end();
    const { text, status } = await answer;
    assert.match(text, new RegExp(`^${first.folder} ok \\d+$`));
    assert.notEqual(status, 0);
    assert.equal(second.state()['status'], undefined);
  },
);

kernelTest('a container runs, and its end is told once its log is complete', async () => {
  using container = monitored();
  assert.match(container.start(sh('echo one; echo two >&2; exit 7')), /^ok \d+$/);
  assert.deepEqual(await container.ask('wait'), { text: 'exit 7', status: 7 });
  assert.deepEqual(texts(container), ['F one']);
  assert.deepEqual(texts(container, 'stderr'), ['F two']);
  const { status, exit, signal, oom, restarts, pid, created, started, finished } = container.state();
  assert.deepEqual(
    { status, exit, signal, oom, restarts, pid },
    { status: 'exited', exit: '7', signal: '0', oom: '0', restarts: '0', pid: undefined },
  );
  for (const time of [created, started, finished]) assert.match(time ?? '', RFC3339_NANO);
  for (const { time } of container.lines()) assert.ok(time <= (finished ?? ''), 'logged after its end');
});

kernelTest('a signal that ends the command is told as 128 and its number', async () => {
  using container = monitored();
  // PID 1 gets no signal that it does not handle, from inside; this one comes from outside.
  container.start(sh('trap "exit 3" USR1; echo ready; while :; do sleep 0.02; done'));
  await eventually('ready', () => texts(container).length > 0);
  assert.equal(container.control('kill', 'USR1').text, 'ok');
  await container.until('status', 'exited');
  assert.equal(container.state()['exit'], '3');
  container.start(['/bin/sleep', '100']);
  assert.equal(container.control('start').text, 'ok');
  assert.equal(container.control('kill', '9').text, 'ok');
  await container.until('status', 'exited');
  const { exit, signal } = container.state();
  assert.deepEqual({ exit, signal }, { exit: '137', signal: '9' });
});

kernelTest('a program that cannot be made is refused with its op, and leaves no process', () => {
  using container = monitored();
  const answer = container.start(['/no/such/command']);
  assert.match(answer, /^error\[127\] op \d+ ARGV: .*\/no\/such\/command/);
  assert.ok(!existsSync(join(container.folder, 'control')));
  assert.ok(!existsSync(join(container.folder, 'state')));
});

kernelTest('a container is held at its gate until it is started, and can be started again', async () => {
  using container = monitored();
  assert.match(container.hold(sh('echo ran')), /^ok \d+$/);
  assert.equal(container.state()['status'], 'created');
  assert.equal(readFileSync(container.log, 'utf8'), '');
  assert.equal(container.control('kill', 'TERM').status, 1);
  assert.equal(container.control('start').text, 'ok');
  assert.equal((await container.ask('wait')).text, 'exit 0');
  assert.equal(container.control('start').text, 'ok');
  await eventually('second run', () => texts(container).length === 2);
});

kernelTest('lines are logged whole, pieces of a line as such, and every byte as it came', async () => {
  using container = monitored();
  const script =
    'printf part; sleep 0.4; echo end; printf "a\\000b\\033[1m\\377\\r\\n"; head -c 20000 /dev/zero | tr "\\0" x; echo; printf tail';
  container.start(sh(script));
  await container.ask('wait');
  const lines = texts(container);
  assert.deepEqual(lines.slice(0, 3), ['P part', 'F end', 'F a\0b\x1b[1m\xff\r']);
  const long = lines.slice(3, -1);
  // A piece is logged when its end does not come soon, so on a busy machine there are more of them.
  assert.match(long.map((line) => line[0]).join(''), /^P+F$/);
  assert.equal(long.map((line) => line.slice(2)).join(''), 'x'.repeat(20_000));
  assert.equal(lines.at(-1), 'P tail');
});

kernelTest('a log is rotated by renaming and keeps no more files than said', async () => {
  using container = monitored({ log: { bytes: 4000n, files: 3 } });
  container.start(sh('for i in $(seq 1 400); do echo "line $i"; done'));
  await container.ask('wait');
  const files = readdirSync(container.folder)
    .filter((name) => /^log/.test(name))
    .sort();
  assert.deepEqual(files, ['log', 'log.1', 'log.2']);
  const all = files
    .reverse()
    .map((name) => readFileSync(join(container.folder, name), 'utf8'))
    .join('');
  for (const name of files) assert.ok(statSync(join(container.folder, name)).size <= 4000);
  const numbers = [...all.matchAll(/ line (\d+)$/gm)].map(([, number]) => Number(number));
  assert.equal(numbers.at(-1), 400);
  assert.deepEqual(
    numbers,
    Array.from(numbers, (_, i) => 400 - numbers.length + 1 + i),
  );
});

kernelTest('a flood is logged within its limits and takes no memory', async () => {
  using container = monitored({ log: { bytes: 100_000n, files: 2 } });
  container.start(sh('head -c 20000000 /dev/zero & yes | head -c 400000; wait; echo done; sleep 100'));
  const monitor = Number(container.state()['monitor']);
  const before = privateMemory(monitor, ['Private_Dirty']);
  // Between two files of a rotation there is no log for a moment.
  await eventually('done', () => lastText(container)?.endsWith('done') === true);
  const after = privateMemory(monitor, ['Private_Dirty']);
  assert.ok(after - before < 128 * 1024, `${before} grew to ${after}`);
  assert.ok(statSync(container.log).size <= 100_000);
});

kernelTest('on-failure restarts as often as said, with a growing delay', async () => {
  using container = monitored();
  container.start(sh('date +%s%N; exit 5'), restart(POLICY.onFailure, 3));
  assert.equal((await container.ask('wait')).text, 'exit 5');
  assert.equal(container.state()['restarts'], '3');
  const times = texts(container).map((line) => Number(line.slice(2)) / 1e6);
  assert.equal(times.length, 4);
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  for (const [i, least] of [100, 200, 400].entries()) assert.ok((gaps[i] ?? 0) >= least, `${gaps}`);
});

kernelTest('on-failure leaves a good end alone, and always does not', async () => {
  using good = monitored();
  good.start(['/bin/true'], restart(POLICY.onFailure));
  assert.equal((await good.ask('wait')).text, 'exit 0');
  using always = monitored();
  always.start(['/bin/true'], restart(POLICY.always));
  await always.until('restarts', /^[2-9]/);
  assert.equal(always.control('stop').text, 'ok');
  assert.equal(always.state()['status'], 'exited');
});

kernelTest('a stop by hand ends what would be restarted, in the middle of its delay too', async () => {
  using container = monitored();
  container.start(['/bin/sleep', '100'], restart(POLICY.unlessStopped));
  assert.equal(container.control('stop', '50').text, 'ok');
  assert.equal(container.state()['status'], 'exited');
  assert.equal(container.state()['restarts'], '0');
  container.control('start');
  assert.equal(container.control('kill', 'KILL').text, 'ok');
  await container.until('status', 'exited');
});

kernelTest('stop asks with the signal said, waits, and kills the whole pid namespace', async () => {
  using container = monitored();
  const script =
    'trap "echo asked" INT; echo ready; sh -c "trap : INT TERM; while :; do sleep 1; done" & while :; do wait; done';
  container.start(sh(script), stopOp(2, 300));
  await eventually('ready', () => texts(container).length > 0);
  const pid = Number(container.state()['pid']);
  const begin = Date.now();
  assert.equal(container.control('stop').text, 'ok');
  assert.ok(Date.now() - begin >= 300);
  assert.ok(texts(container).includes('F asked'));
  const { status, exit } = container.state();
  assert.deepEqual({ status, exit }, { status: 'exited', exit: '137' });
  assert.ok(!isAlive(pid));
});

kernelTest('a paused container does nothing until it goes on, and stops all the same', async (t) => {
  const groups = freezerCgroups();
  if (groups.length === 0) return skipKernelLacks(t, 'a freezer');
  for (const group of groups) {
    using cgroup = group;
    await pauseAndStop(cgroup);
  }
});

async function pauseAndStop({ directory, version, join: joinOp }: TestCgroup): Promise<void> {
  using container = monitored();
  container.start(sh('while :; do echo tick; sleep 0.01; done'), joinOp, {
    op: 'FREEZER',
    directory,
    version,
  });
  await eventually('ticks', () => texts(container).length > 0);
  assert.equal(container.control('pause').text, 'ok');
  assert.equal(container.state()['status'], 'paused');
  if (version === 1) assert.equal(readFileSync(join(directory, 'freezer.state'), 'utf8').trim(), 'FROZEN');
  else assert.match(readFileSync(join(directory, 'cgroup.events'), 'utf8'), /^frozen 1$/m);
  const count = texts(container).length;
  spawnSync('sleep', ['0.2']);
  assert.ok(texts(container).length <= count + 1);
  assert.equal(container.control('pause').status, 1);
  assert.equal(container.control('unpause').text, 'ok');
  await eventually('more ticks', () => texts(container).length > count + 1);
  container.control('pause');
  assert.equal(container.control('stop', '100').text, 'ok');
  assert.equal(container.state()['status'], 'exited');
  // The group is thawed, or the next start would hang.
  assert.equal(container.control('start').text, 'ok');
  container.control('pause');
  assert.equal(container.control('end').text, 'ok');
  assert.equal(container.state()['status'], 'exited');
}

kernelTest('what the kernel killed for memory is told as such', async (t) => {
  using cgroup = cgroupWith('memory');
  if (cgroup === undefined) return skipKernelLacks(t, 'a memory controller');
  const { directory, version } = cgroup;
  writeFileSync(join(directory, version === 1 ? 'memory.limit_in_bytes' : 'memory.max'), '20M');
  using container = monitored();
  container.start(sh('exec dd if=/dev/zero of=/dev/null bs=100M count=1'), cgroup.join, {
    op: 'OOM',
    file: join(directory, version === 1 ? 'memory.oom_control' : 'memory.events'),
  });
  assert.equal((await container.ask('wait')).text, 'exit 137');
  assert.equal(container.state()['oom'], '1');
  container.control('end');
});

kernelTest('in a pid namespace that is not its own, all that it has started ends with it', async (t) => {
  const groups = freezerCgroups();
  if (groups.length === 0) return skipKernelLacks(t, 'a freezer');
  const types = CLONE.mnt | CLONE.uts | CLONE.ipc | CLONE.net | CLONE.cgroup;
  const ways: readonly (readonly string[])[] = [['stop', '100'], ['kill', 'KILL'], ['end'], ['wait']];
  for (const group of groups) {
    using cgroup = group;
    using container = monitored();
    const inside = (): number =>
      readFileSync(join(cgroup.directory, 'cgroup.procs'), 'utf8').split('\n').length - 1;
    for (const way of ways) {
      const ends = way[0] === 'wait' ? 'sleep 0.3; exit 3' : 'while :; do sleep 1; done';
      const script = `for i in 1 2 3; do setsid sleep 1000 & done; echo ready; ${ends}`;
      assert.match(container.start(sh(script), { op: 'NAMESPACES', types }, cgroup.join), /^ok/);
      await eventually('ready', () => texts(container).length > 0);
      assert.ok(way[0] === 'wait' || inside() > 3, `${inside()} are inside`);
      assert.match(container.control(...way).text, /^(ok|exit 3)$/);
      await eventually(`all have ended after ${way[0]}`, () => inside() === 0);
      container.control('end');
      writeFileSync(container.log, '');
    }
  }
});

kernelTest('the death of the monitor is the death of the container, and is told', async () => {
  using container = monitored();
  // Another user: a change of credentials clears PR_SET_PDEATHSIG.
  container.start(['/bin/sleep', '100'], { op: 'USER', uid: 65534, gid: 65534, groups: [] });
  const state = container.state();
  process.kill(Number(state['monitor']), 'SIGKILL');
  await eventually('init ends', () => !isAlive(Number(state['pid'])));
  await eventually('its monitor has gone', () => !isAlive(Number(state['monitor'])));
  assert.deepEqual(container.control('pause'), {
    text: 'error the monitor has died, and the container with it',
    status: 1,
  });
  const { status, exit, error } = container.state();
  assert.deepEqual(
    { status, exit, error },
    { status: 'exited', exit: '137', error: 'the monitor has died, and the container with it' },
  );
  assert.deepEqual(container.control('end'), { text: 'ok', status: 0 });
  assert.match(startAll(container.folder).stdout, / ok \d+\n$/);
});

kernelTest('a state with a pid that was given away makes nobody kill another process', () => {
  using container = monitored();
  writeFileSync(
    join(container.folder, 'state'),
    `status running\npid ${process.pid}\nstart 1\nmonitor 1\nmonitor_start 1\n`,
  );
  assert.equal(container.control('end').text, 'ok');
  assert.ok(isAlive(process.pid));
});

kernelTest('the control socket refuses other users', async () => {
  using container = monitored();
  container.start(['/bin/sleep', '100']);
  const answer = spawnSync(
    'sh',
    [
      '-c',
      'chmod 755 "$0"; chmod 777 "$0/control"; exec setpriv --reuid 65534 --clear-groups "$1" _control "$0" end',
      container.folder,
      helperPath(),
    ],
    { encoding: 'utf8' },
  );
  assert.notEqual(answer.status, 0);
  assert.equal(container.state()['status'], 'running');
});

kernelTest(
  'several clients are attached at once, and one that does not read is dropped, not waited for',
  async () => {
    using container = monitored();
    container.start(sh('read line; echo "got $line"; yes | head -c 3000000; echo end; exit 4'), {
      op: 'STDIN',
    });
    const attach = (...words: string[]) =>
      spawn(helperPath(), ['_attach', ...words, container.folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    const stuck = attach('--no-stdin');
    const [reader, typist] = [attach('--no-stdin'), attach()];
    process.kill(stuck.pid ?? 0, 'SIGSTOP');
    const [read, typed] = [collect(reader), collect(typist)];
    // Attached only when the answer has been read; output of before is not repeated.
    await eventually(
      'all are attached',
      () => readdirSync(`/proc/${container.state()['monitor']}/fd`).length >= 10,
    );
    typist.stdin?.write('hello\n');
    for (const { text, status } of await Promise.all([read, typed])) {
      assert.equal(status, 4);
      assert.match(text, /^got hello\ny\n/);
      assert.match(text, /\nend$/);
      assert.equal(text.length, 'got hello\n'.length + 3_000_000 + 'end'.length);
    }
    process.kill(stuck.pid ?? 0, 'SIGKILL');
  },
);

kernelTest('attached before it starts, nothing that it prints is missed', async () => {
  using container = monitored();
  container.hold(sh('echo first; cat; exit 3'), { op: 'STDIN' });
  const { stdout, status } = spawnSync(helperPath(), ['_attach', '--start', container.folder], {
    encoding: 'utf8',
    input: `${'typed\n'.repeat(200_000)}`,
    maxBuffer: 1 << 24,
  });
  assert.equal(status, 3);
  assert.equal(stdout, `first\n${'typed\n'.repeat(200_000)}`);
});

kernelTest('attached to a terminal, the keys that detach leave it running', async () => {
  using container = monitored();
  container.start(sh('while read line; do echo "<$line>" $(stty size); done'), {
    op: 'TERMINAL',
    rows: 10,
    columns: 20,
  });
  const tty = openTty([helperPath(), '_attach', container.folder], { rows: 33, columns: 99 });
  await eventually('attached', () => readdirSync(`/proc/${container.state()['monitor']}/fd`).length >= 10);
  tty.type('hello\r');
  await tty.shown(/<hello> 33 99/);
  tty.type('\x10x\r');
  await tty.shown(/<.?x>/);
  tty.type('\x10\x11');
  assert.equal(await tty.ended, 0);
  assert.equal(container.state()['status'], 'running');
});

kernelTest('health goes from starting to healthy to unhealthy, and back', async () => {
  using container = monitored();
  const probe = 'cat /tmp/health-probe; test -e /tmp/health-probe';
  container.start(
    sh('sleep 0.5; echo fine >/tmp/health-probe; sleep 1; rm /tmp/health-probe; sleep 100'),
    health(probe, { startPeriod: 5000 }),
  );
  assert.equal(container.state()['health'], 'starting');
  await container.until('health', 'healthy');
  assert.equal(container.state()['health_log'], 'fine\\n');
  await container.until('health', 'unhealthy');
  assert.match(container.state()['health_log'] ?? '', /No such file/);
  assert.equal(container.state()['status'], 'running');
});

kernelTest('a probe that takes too long is ended, and its output is bounded', async () => {
  using container = monitored();
  container.start(['/bin/sleep', '100'], health('sleep 100', { timeout: 100, retries: 1 }));
  await container.until('health', 'unhealthy');
  assert.match(container.state()['health_log'] ?? '', /exceeded timeout/);
  using loud = monitored();
  loud.start(['/bin/sleep', '100'], health('yes | head -c 1000000', { retries: 1 }));
  await loud.until('health', 'healthy');
  assert.equal(loud.state()['health_log'], 'y\\n'.repeat(2048));
});

kernelTest('init reaps orphans, passes signals on and ends as the command does', async () => {
  using container = monitored();
  const script =
    'trap "echo usr1" USR1; trap "exit 9" TERM; (sleep 0.05 &) ; sleep 0.3; ps -eo pid,stat,comm; echo ready; while :; do sleep 0.02; done';
  container.start(sh(script), { op: 'INIT' });
  await eventually('ready', () => texts(container).includes('F ready'));
  assert.ok(
    texts(container).some((line) => /^F +1 \S+ +nslab-init$/.test(line)),
    texts(container).join('\n'),
  );
  assert.ok(!texts(container).some((line) => / Z/.test(line)), 'a zombie is left');
  assert.equal(readdirSync(`/proc/${container.state()['pid']}/fd`).length, 0);
  container.control('kill', 'USR1');
  await eventually('usr1', () => texts(container).includes('F usr1'));
  assert.equal(container.control('stop').text, 'ok');
  assert.equal(container.state()['exit'], '9');
});

kernelTest('exec enters all namespaces and the cgroup of a container', async (t) => {
  using cgroup = cgroupWith('pids');
  if (cgroup === undefined) return skipKernelLacks(t, 'a pids controller');
  await inLab(({ container, exec }) => {
    container.start(['/bin/sleep', '100'], cgroup.join);
    const kinds = ['mnt', 'uts', 'ipc', 'pid', 'net', 'cgroup'];
    const { stdout } = exec([
      'web',
      'sh',
      '-c',
      `for kind in ${kinds.join(' ')}; do readlink /proc/self/ns/$kind; done; hostname; grep ${cgroup.version === 1 ? 'pids:' : '^0:'} /proc/self/cgroup; ls /proc/self/fd | wc -l`,
    ]);
    const init = `/proc/${container.state()['pid']}/ns/`;
    assert.deepEqual(
      stdout.trim().split('\n').slice(0, 6),
      kinds.map((kind) => readlinkSync(init + kind)),
    );
    // The cgroup namespace begins at the container's cgroup; 4: ls has opened the folder.
    assert.match(stdout, /\ninside\n\d+:(pids)?:\/\n4\n$/);
    container.control('end');
  });
});

kernelTest('exec ends as the command does, and runs with the rights and options asked for', async () => {
  await inLab(async ({ container, exec }) => {
    assert.match(container.start(['/bin/sleep', '100']), /^ok/);
    assert.equal(exec(['web', 'sh', '-c', 'exit 42']).status, 42);
    assert.equal(exec(['web', 'sh', '-c', 'kill -9 $$']).status, 137);
    assert.equal(exec(['web', '/no/such']).status, 127);
    assert.equal(exec(['web', '/etc/passwd']).status, 126);
    assert.equal(exec(['web', 'cat'], 'typed').stdout, 'typed');
    const { stdout } = exec([
      '-u',
      'nobody',
      '-w',
      '/usr',
      '-e',
      'A=b c',
      'web',
      'sh',
      '-c',
      'id -un; pwd; echo "$A"; grep CapEff /proc/self/status',
    ]);
    assert.equal(stdout, 'nobody\n/usr\nb c\nCapEff:\t0000000000000000\n');
    assert.equal(exec(['-u', 'nosuchuser', 'web', 'true']).status, 2);
    container.control('stop', '10');
    const { status, stderr } = exec(['web', 'true']);
    assert.equal(status, 7);
    assert.match(stderr, /not running \(exited\)/);
  });
});

kernelTest('exec reads a hostile passwd file of the container without waiting for it', async () => {
  await inLab(({ container, exec }) => {
    container.start(sh('rm /etc/passwd; mkfifo /etc/passwd; echo ready; sleep 100'));
    spawnSync('sleep', ['0.3']);
    assert.equal(exec(['-u', 'nobody', 'web', 'true']).status, 2);
  });
});

kernelTest(
  'exec on a terminal gives the command one of the container, and leaves ours as it was',
  async () => {
    await inLab(async ({ container, words }) => {
      container.start(['/bin/sleep', '100']);
      const line = `before=$(stty -g); ${words.join(' ')} web sh -c 'tty; stty size; read x; echo "<$x>"; sleep 100 & wait; exit 5'; echo "status $?"; test "$before" = "$(stty -g)" && echo same`;
      const tty = openTty(sh(line), { rows: 31, columns: 97 });
      await tty.shown(/\/dev\/pts\/0\r\n31 97\r\n/);
      tty.type('abc\r');
      await tty.shown(/<abc>/);
      tty.type('\x03');
      await tty.shown(/status 130[\s\S]*same/);
      await tty.ended;
    });
  },
);

kernelTest("exec passes signals on, and dies with its caller's process", async () => {
  await inLab(async ({ container, words }) => {
    container.start(['/bin/sleep', '100']);
    const start = (script: string) =>
      spawn(words[0] ?? '', [...words.slice(1), 'web', 'sh', '-c', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    const first = start('trap "echo term; exit 6" TERM; echo ready; while :; do sleep 0.02; done');
    const ended = collect(first);
    await new Promise((resolve) => first.stdout?.once('data', resolve));
    first.kill('SIGTERM');
    assert.deepEqual(await ended, { text: 'ready\nterm', status: 6 });
    const second = start('echo ready; exec sleep 54321');
    await new Promise((resolve) => second.stdout?.once('data', resolve));
    second.kill('SIGKILL');
    await eventually('the command has ended', () => spawnSync('pgrep', ['-fx', 'sleep 54321']).status === 1);
  });
});

kernelTest('fifty containers start in one call, with a small monitor each', async () => {
  const containers = Array.from({ length: 50 }, () => monitored());
  try {
    for (const container of containers) container.write(['/bin/sleep', '100']);
    const { status, stdout } = startAll(...containers.map(({ folder }) => folder));
    assert.equal(status, 0, stdout);
    const lines = stdout.trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => line.replace(/ ok \d+$/, '')),
      containers.map(({ folder }) => folder),
    );
    const memory = containers.map((container) => privateMemory(Number(container.state()['monitor'])));
    const largest = Math.max(...memory);
    assert.ok(largest < 300 * 1024, `${largest}`);
  } finally {
    for (const container of containers) container[Symbol.dispose]();
  }
});

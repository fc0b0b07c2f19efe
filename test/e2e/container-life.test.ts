// The life of containers of `run` and `create`, and what changes one that runs: each flag is looked up in the kernel's own files. And
// who removes a container when whoever should have done it was killed.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { patience } from '../support/emulated.ts';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { isAlive } from '../support/monitored.ts';
import { nslab, nslabOk, startNslab, upLab } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';
import { openTty } from '../support/tty.ts';

const PATIENCE_MS = patience(30_000);
const SIGKILLED = 128 + 9;

/** A test in which the machine must be afterwards as it was before. */
function leavesNothing(title: string, body: (t: TestContext) => Promise<void>): void {
  test(title, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    const before = await fingerprint();
    await body(t);
    await assertUnchanged(before);
  });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > deadline) assert.fail(`not within ${PATIENCE_MS} ms: ${what}`);
    await pause(20);
  }
}

const runFolder = (name: string): string => `/run/nslab/labs/${name}/containers/${name}`;

/** What the monitor has written down, without nslab. */
function stateOf(name: string): Readonly<Record<string, string>> {
  const text = readFileSync(join(runFolder(name), 'state'), 'utf8');
  return Object.fromEntries(
    text.split('\n').map((line) => [line.split(' ', 1)[0] ?? '', line.slice(line.indexOf(' ') + 1)]),
  );
}

/** And the network that it was the only one on. */
const isGone = (name: string): boolean =>
  !existsSync(`/run/nslab/labs/${name}`) && !existsSync('/run/nslab/labs/default');

function host(verb: 'run' | 'create', name: string, ...words: string[]): string[] {
  return [verb, ...(verb === 'run' ? ['-d'] : []), '--name', name, '--rootfs', 'host', ...words];
}

/** The file of the hierarchy that limits this: that of cgroup v1 or that of v2. */
function cgroupFile(controller: string, name: string, v1: string, v2: string): string {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const of = (pattern: RegExp): string | undefined => lines.find((line) => pattern.test(line))?.split(' ')[4];
  const mount = of(new RegExp(` - cgroup .*[ ,]${controller}(,|$)`));
  const path = mount === undefined ? join(of(/ - cgroup2 /) ?? '', 'nslab', name, name, v2) : '';
  return readFileSync(path === '' ? join(mount ?? '', 'nslab', name, name, v1) : path, 'utf8').trim();
}

leavesNothing('create makes all but the start, start runs it, rm takes it away', async (t) => {
  nslabOk(host('create', 'ctc', '--label', 'a=b', 'sh', '-c', 'echo made; exit 7'));
  await t.test('it waits at its gate, with its namespaces and files', () => {
    assert.equal(stateOf('ctc')['status'], 'created');
    assert.ok(existsSync('/run/netns/ctc') && existsSync('/var/lib/nslab/containers/ctc/ctc/upper'));
    assert.equal(nslabOk(['logs', 'ctc']), '');
    assert.match(nslabOk(['ps']), /no container is running; 1 other/);
    assert.match(nslabOk(['ps', '-a']), /ctc .*Created/);
  });
  await t.test('start -a shows what it prints and ends as it does, the second time as well', () => {
    for (const turn of [1, 2]) {
      const { status, stdout } = nslab(['start', '-a', 'ctc']);
      assert.deepEqual([status, stdout], [7, 'made\n'], `start ${turn}`);
    }
    assert.match(nslabOk(['ps', '-a']), /ctc .*Exited \(7\)/);
  });
  await t.test('inspect tells its facts', () => {
    const facts = JSON.parse(nslabOk(['inspect', 'ctc', '--json']));
    assert.equal(facts.state.exit, 7);
    assert.deepEqual(facts.config.command, ['sh', '-c', 'echo made; exit 7']);
    assert.deepEqual(facts.config.labels, { a: 'b' });
    assert.equal(facts.network.netns, 'ctc');
    assert.match(nslabOk(['inspect', 'ctc']), /exit status +7/);
  });
  await t.test('rm refuses one that runs, and -f does not', () => {
    assert.equal(nslabOk(['rm', '-v', 'ctc']), 'ctc\n');
    assert.ok(isGone('ctc') && !existsSync('/var/lib/nslab/containers/ctc'));
    nslabOk(host('run', 'ctc', 'sleep', 'infinity'));
    const { status, stderr } = nslab(['rm', 'ctc']);
    assert.equal(status, 7);
    assert.match(stderr, /CONTAINER_REFUSED.*is running/);
    const pid = Number(stateOf('ctc')['pid']);
    assert.equal(nslabOk(['rm', '-f', 'ctc']), 'ctc\n');
    assert.ok(!isAlive(pid) && isGone('ctc'));
    assert.equal(nslabOk(['rm', '-f', 'ctc']), '');
    assert.match(nslab(['rm', 'ctc']).stderr, /CONTAINER_UNKNOWN/);
  });
});

leavesNothing('a node of a lab is not removed by rm', async () => {
  const input = JSON.stringify({ name: 'ct-node', nodes: { ctn: { rootfs: 'host', command: ['true'] } } });
  await using _lab = await upLab('-', { input });
  assert.match(nslab(['rm', '-f', 'ctn']).stderr, /ctn is a node of lab ct-node[\s\S]*nslab down ct-node/);
});

leavesNothing('--rm with -d: whoever sees the end removes it', async (t) => {
  await t.test('its own end, with an exit before run has returned', async () => {
    nslabOk(host('run', 'ctr', '--rm', 'true'));
    await until('it is removed', () => isGone('ctr'));
  });
  await t.test('stop, which returns when it is gone; restart keeps it', async () => {
    nslabOk(host('run', 'ctr', '--rm', 'sleep', 'infinity'));
    const { pid } = stateOf('ctr');
    nslabOk(['restart', '-t', '0', 'ctr']);
    assert.notEqual(stateOf('ctr')['pid'], pid);
    nslabOk(['stop', '-t', '0', 'ctr']);
    assert.ok(isGone('ctr'));
  });
  await t.test('in the foreground, when run is killed after its end', async () => {
    const words = ['run', '--rm', '--name', 'ctr', '--rootfs', 'host', 'true'];
    const { status } = nslab(words, { env: { ...process.env, NSLAB_FAULT: 'run:after:0' } });
    assert.equal(status, SIGKILLED);
    await until('the monitor has it removed', () => isGone('ctr'));
  });
  await t.test('prune, when its monitor was killed', async () => {
    nslabOk(host('run', 'ctr', '--rm', 'sleep', 'infinity'));
    process.kill(Number(stateOf('ctr')['monitor']), 'SIGKILL');
    await until('it is dead', () => /Dead/.test(nslabOk(['ps', '-a'])));
    assert.match(nslabOk(['prune']), /removed container ctr/);
    assert.ok(isGone('ctr'));
  });
});

leavesNothing(
  'the death of the monitor is that of the container, whatever it did to its credentials',
  async () => {
    // PR_SET_PDEATHSIG is cleared by the change.
    const drop = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
    nslabOk(host('run', 'ctd', ...drop, 'sh', '-c', 'sleep 1000 & exec sleep 1000'));
    await until('it is another user', () => {
      const status = readFileSync(`/proc/${stateOf('ctd')['pid']}/status`, 'utf8');
      return /^Name:\tsleep$/m.test(status) && /^Uid:\t65534/m.test(status);
    });
    const { pid = '', monitor = '' } = stateOf('ctd');
    process.kill(Number(monitor), 'SIGKILL');
    await until('its process 1 has ended', () => !isAlive(Number(pid)));
    nslabOk(['start', 'ctd']);
    nslabOk(['rm', '-f', 'ctd']);
  },
);

leavesNothing('run that is killed at any moment leaves nothing that rm does not find', async () => {
  const words = host('run', 'ctf', '--rm', 'sleep', 'infinity');
  const faults = ['run:before:0'];
  for (let index = 0; index < 20; index++) faults.push(`up:before:${index}`, `up:after:${index}`);
  let struck = 0;
  for (const fault of faults) {
    // In the foreground, where it is held until somebody is attached.
    const { status } = nslab(
      words.filter((word) => word !== '-d' || !fault.startsWith('run')),
      { env: { ...process.env, NSLAB_FAULT: fault } },
    );
    if (status === SIGKILLED) struck++;
    nslabOk(['rm', '-f', 'ctf']);
    assert.ok(isGone('ctf') && !existsSync('/var/lib/nslab/containers/ctf'), fault);
    if (status !== SIGKILLED) break;
  }
  assert.ok(struck >= 4, `struck ${struck} times`);
});

leavesNothing('what a reboot leaves goes with down, and with prune', async () => {
  for (const words of [['down', 'ct-boot'], ['down'], ['down', '--all'], ['prune']]) {
    mkdirSync('/var/lib/nslab/containers/ct-boot/ctb/upper/etc', { recursive: true });
    writeFileSync('/var/lib/nslab/containers/ct-boot/ctb/upper/etc/x', '');
    assert.match(nslabOk(words), /ct-boot/);
    assert.ok(!existsSync('/var/lib/nslab/containers'), words.join(' '));
    assert.ok(!existsSync('/run/nslab'), words.join(' '));
  }
});

leavesNothing('run: each flag is in the files of the kernel', async (t) => {
  const flags = [
    ...['-m', '64m', '--memory-swap', '96m', '--memory-reservation', '32m', '--cpus', '0.5'],
    ...['--cpu-shares', '512', '--cpuset-cpus', '0', '--pids-limit', '50', '--shm-size', '1m'],
    ...['--ulimit', 'nofile=100:200', '--sysctl', 'net.ipv4.ip_forward=1', '--sysctl', 'kernel.msgmax=4096'],
    ...[
      '--cap-drop',
      'ALL',
      '--cap-add',
      'NET_RAW',
      '--device',
      '/dev/full:/dev/mine',
      '--tmpfs',
      '/mnt:size=1m',
    ],
    ...['--hostname', 'flags', '-w', '/usr', '-e', 'A=b', '--read-only', '--init', '--stop-signal', 'INT'],
    ...['--health-cmd', 'test -e /mnt', '--health-interval', '100ms'],
  ];
  nslabOk(host('run', 'ctf', ...flags, 'sleep', 'infinity'));
  const inside = (...words: string[]): string => nslabOk(['exec', 'ctf', ...words]).trim();
  const status = (key: string): string =>
    new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(inside('cat', '/proc/self/status'))?.[1] ?? '';
  await t.test('limits', () => {
    assert.equal(cgroupFile('memory', 'ctf', 'memory.limit_in_bytes', 'memory.max'), String(64 << 20));
    const swap = cgroupFile('memory', 'ctf', 'memory.memsw.limit_in_bytes', 'memory.swap.max');
    assert.ok([String(96 << 20), String(32 << 20)].includes(swap), swap);
    assert.equal(cgroupFile('memory', 'ctf', 'memory.soft_limit_in_bytes', 'memory.low'), String(32 << 20));
    assert.match(cgroupFile('cpu', 'ctf', 'cpu.cfs_quota_us', 'cpu.max'), /^50000/);
    assert.match(cgroupFile('cpu', 'ctf', 'cpu.shares', 'cpu.weight'), /^(512|59)$/);
    assert.equal(cgroupFile('cpuset', 'ctf', 'cpuset.cpus', 'cpuset.cpus'), '0');
    assert.equal(cgroupFile('pids', 'ctf', 'pids.max', 'pids.max'), '50');
    assert.match(inside('cat', '/proc/1/limits'), /Max open files +100 +200/);
  });
  await t.test('rights, devices, mounts, settings', () => {
    assert.equal(status('CapBnd'), (1 << 13).toString(16).padStart(16, '0'));
    assert.equal(inside('stat', '-c', '%t:%T', '/dev/mine'), '1:7');
    assert.match(inside('grep', ' /mnt ', '/proc/mounts'), /size=1024k/);
    assert.match(inside('grep', ' /dev/shm ', '/proc/mounts'), /size=1024k/);
    assert.match(inside('grep', ' / ', '/proc/mounts'), / ro,/);
    assert.equal(inside('cat', '/proc/sys/net/ipv4/ip_forward'), '1');
    assert.equal(inside('cat', '/proc/sys/kernel/msgmax'), '4096');
    assert.equal(inside('sh', '-c', 'echo $A $(hostname) $(cat /proc/1/comm)'), 'b flags nslab-init');
  });
  await until('it is healthy', () => stateOf('ctf')['health'] === 'healthy');
  await t.test('update changes limits while it runs, up and down', () => {
    nslabOk(['update', '-m', '128m', '--cpus', '0.25', '--pids-limit', '20', 'ctf']);
    assert.equal(cgroupFile('memory', 'ctf', 'memory.limit_in_bytes', 'memory.max'), String(128 << 20));
    assert.match(cgroupFile('cpu', 'ctf', 'cpu.cfs_quota_us', 'cpu.max'), /^25000/);
    assert.equal(cgroupFile('pids', 'ctf', 'pids.max', 'pids.max'), '20');
    nslabOk(['update', '-m', '48m', 'ctf']);
    assert.equal(cgroupFile('memory', 'ctf', 'memory.limit_in_bytes', 'memory.max'), String(48 << 20));
    assert.equal(JSON.parse(nslabOk(['inspect', 'ctf', '--json'])).limits.memory, 48 << 20);
    assert.equal(nslab(['update', 'ctf']).status, 2);
    assert.match(nslab(['update', '-m', 'lots', 'ctf']).stderr, /lots/);
  });
  nslabOk(['rm', '-f', 'ctf']);
});

leavesNothing('--pid and --ipc host: the namespaces of the machine, and no process is left', async () => {
  nslabOk(
    host(
      'run',
      'cth',
      '--pid',
      'host',
      '--ipc',
      'host',
      '--net',
      'host',
      'sh',
      '-c',
      'sleep 987 & sleep 988',
    ),
  );
  const { pid = '' } = stateOf('cth');
  for (const type of ['pid', 'ipc', 'net'])
    assert.equal(readlinkSync(`/proc/${pid}/ns/${type}`), readlinkSync(`/proc/self/ns/${type}`), type);
  assert.notEqual(readlinkSync(`/proc/${pid}/ns/mnt`), readlinkSync('/proc/self/ns/mnt'));
  assert.match(nslabOk(['exec', 'cth', 'cat', `/proc/${process.pid}/comm`]), /node/);
  const others = (): number[] =>
    JSON.parse(nslabOk(['top', 'cth', '--json'])).map((one: { pid: number }) => one.pid);
  await until('it has its two children', () => others().length === 3);
  const all = others();
  // The end of its first process is the end of all.
  process.kill(Number(pid), 'SIGKILL');
  await until('they have ended', () => all.every((one) => !isAlive(one)));
  nslabOk(['rm', '-f', 'cth']);
});

leavesNothing('exec: the flags decide when given', async (t) => {
  nslabOk(host('run', 'cte', 'sleep', 'infinity'));
  const exec = (words: string[], input = '') => nslab(['exec', ...words], { input });
  await t.test('-i passes input on, -t gives a terminal, without one of its own too', () => {
    assert.equal(exec(['-i', 'cte', 'cat'], 'typed\n').stdout, 'typed\n');
    assert.match(exec(['-t', 'cte', 'tty'], '').stdout, /^\/dev\/pts\/\d+/);
    assert.equal(exec(['-i', 'cte', 'test', '-t', '1']).status, 1);
    assert.match(exec(['-it', 'cte', 'true']).stderr, /no terminal/);
    assert.equal(exec(['cte', 'echo', '-t', '-i']).stdout, '-t -i\n');
  });
  await t.test('-i alone on a terminal gives none to the command', async () => {
    const tty = openTty([
      join(import.meta.dirname, '../../bin/nslab'),
      'exec',
      '-i',
      'cte',
      'sh',
      '-c',
      'test -t 0',
    ]);
    assert.equal(await tty.ended, 1);
  });
  await t.test('-d leaves it running, and says what cannot run', async () => {
    nslabOk(['exec', '-d', 'cte', 'sleep', '4321']);
    assert.match(nslabOk(['top', 'cte']), /sleep 4321/);
    assert.equal(exec(['-d', 'cte', 'nosuchprogram']).status, 127);
  });
  await t.test('-e, -w, -u and --privileged', () => {
    const env = { ...process.env, FROM_OUTSIDE: 'x' };
    const out = nslabOk(
      [
        'exec',
        '-e',
        'FROM_OUTSIDE',
        '-e',
        'B=c',
        '-w',
        '/tmp',
        '-u',
        '65534:65534',
        'cte',
        'sh',
        '-c',
        'echo $FROM_OUTSIDE $B $(pwd) $(id -u)',
      ],
      { env },
    );
    assert.equal(out, 'x c /tmp 65534\n');
    const plain = nslabOk(['exec', 'cte', 'cat', '/proc/self/status']);
    const all = nslabOk(['exec', '--privileged', 'cte', 'cat', '/proc/self/status']);
    assert.match(plain, /Seccomp:\t2/);
    assert.match(all, /Seccomp:\t0/);
    assert.match(all, /NoNewPrivs:\t0/);
    const own = /^CapBnd:\t(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    assert.equal(/^CapEff:\t(.*)$/m.exec(all)?.[1], own);
  });
  // A command that exec has left behind does not keep the container from ending.
  nslabOk(['rm', '-f', 'cte']);
});

leavesNothing('exit statuses are those of docker run', async () => {
  const run = (...words: string[]): number => nslab(['run', '--rm', '--rootfs', 'host', ...words]).status;
  assert.equal(run('nosuchprogram'), 127);
  assert.equal(run('/etc'), 126);
  assert.equal(run('--no-such-option', 'true'), 125);
  assert.equal(run('-p', 'eighty:80', 'true'), 125);
  assert.equal(run('-it', 'true'), 125);
  assert.equal(run('--init', 'sh', '-c', 'kill -TERM $$'), 143);
  assert.equal(run('sh', '-c', 'exit 42'), 42);
});

leavesNothing('up waits for health, and says who is not', async (t) => {
  const lab = (test: string, more: object = {}) =>
    JSON.stringify({
      name: 'ct-health',
      nodes: {
        cth: {
          rootfs: 'host',
          command: ['sh', '-c', 'sleep 0.5; touch /tmp/ok; exec sleep infinity'],
          healthcheck: { test: ['CMD-SHELL', test], interval: '100ms', retries: 2, ...more },
        },
        other: { rootfs: 'host', command: ['sleep', 'infinity'] },
      },
    });
  await t.test('healthy', () => {
    const { stdout, stderr, status } = nslab(['up', '-'], {
      input: lab('test -e /tmp/ok', { start_period: '20s', start_interval: '100ms' }),
    });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /waiting for health: cth is starting/);
    assert.match(stdout, /1 healthy/);
    nslabOk(['down', 'ct-health']);
  });
  await t.test('not healthy: the lab stays', () => {
    const { stderr, status } = nslab(['up', '-'], { input: lab('echo no database; exit 1') });
    assert.equal(status, 6, stderr);
    assert.match(stderr, /CONTAINER_UNHEALTHY[\s\S]*cth is unhealthy[\s\S]*no database/);
    assert.match(nslabOk(['ps']), /cth .*unhealthy/);
    nslabOk(['down', 'ct-health']);
  });
  await t.test('in time, or not at all', () => {
    const input = lab('exit 1', { start_period: '60s', start_interval: '1s' });
    const { stderr, status } = nslab(['up', '--wait-timeout', '1', '-'], { input });
    assert.equal(status, 6, stderr);
    assert.match(stderr, /after 1 s cth is starting/);
    nslabOk(['down', 'ct-health']);
    nslabOk(['up', '--no-wait', '-'], { input });
    nslabOk(['down', 'ct-health']);
  });
});

leavesNothing('logs --until, and a number of lines that is none', async () => {
  nslabOk(host('run', 'ctl', 'sh', '-c', 'echo a; exec sleep infinity'));
  await until('it has spoken', () => nslab(['logs', 'ctl']).stdout === 'a\n');
  assert.equal(nslabOk(['logs', '--until', '2000-01-01', 'ctl']), '');
  assert.equal(nslabOk(['logs', '-f', '--until', new Date().toISOString(), 'ctl']), 'a\n');
  assert.match(nslab(['logs', '--tail', 'two', 'ctl']).stderr, /--tail two/);
  nslabOk(['rm', '-f', 'ctl']);
});

leavesNothing('run -it has a terminal, and its detach keys leave it running', async () => {
  const launcher = join(import.meta.dirname, '../../bin/nslab');
  const words = ['run', '-it', '--detach-keys', 'ctrl-x', '--name', 'ctt', '--rootfs', 'host', 'sh', '-c'];
  const tty = openTty([launcher, ...words, 'echo on $(tty); exec sleep infinity']);
  await tty.shown(/on \/dev\/(pts\/\d+|console)/);
  tty.type('\x18');
  assert.equal(await tty.ended, 0);
  assert.equal(stateOf('ctt')['status'], 'running');
  const killed = startNslab(['attach', '--no-stdin', 'ctt']);
  await pause(500);
  killed.kill('SIGKILL');
  assert.equal(stateOf('ctt')['status'], 'running');
  nslabOk(['rm', '-f', 'ctt']);
  assert.ok(!existsSync('/run/netns/ctt'));
});

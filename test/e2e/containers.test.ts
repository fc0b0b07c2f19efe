// Containers as a user has them, on the real kernel: what each namespace hides and the machine still shows, limits in the files of
// the cgroups, the life of a container by the commands, and that nothing is left whoever is killed when.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { patience } from '../support/emulated.ts';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { mappedRoot } from '../support/mapped-root.ts';
import { nslab, nslabOk, run, startNslab, type UpLab, upLab } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const PATIENCE_MS = patience(15_000);

/** A lab of containers over the files of this machine; `keys` are those of each node. */
function topology(name: string, nodes: Readonly<Record<string, unknown>>, more: object = {}): string {
  const each = Object.entries(nodes).map(([node, keys]) => [node, { rootfs: 'host', ...(keys as object) }]);
  return JSON.stringify({ name, nodes: Object.fromEntries(each), ...more });
}

function up(name: string, nodes: Readonly<Record<string, unknown>>, more: object = {}): Promise<UpLab> {
  return upLab('-', { input: topology(name, nodes, more) });
}

type Row = { node: string; status: string; state: Record<string, unknown> | null };

function rowOf(node: string): Row {
  const rows = JSON.parse(nslabOk(['ps', '-a', '--json'])) as Row[];
  const row = rows.find((one) => one.node === node);
  assert.ok(row !== undefined, `ps has no ${node}`);
  return row;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > deadline) assert.fail(`not within ${PATIENCE_MS} ms: ${what}`);
    await pause(50);
  }
}

function pidOf(node: string): number {
  return Number(rowOf(node).state?.['pid']);
}

/** The folder of a container in the hierarchy that limits this: cgroup v1, or the one of v2. */
function cgroupOf(controller: string, lab: string, node: string): string {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const of = (pattern: RegExp): string | undefined => lines.find((line) => pattern.test(line))?.split(' ')[4];
  const mount = of(new RegExp(` - cgroup .*\\b${controller}\\b`)) ?? of(/ - cgroup2 /);
  return join(mount ?? '', 'nslab', lab, node);
}

function firstOf(folder: string, ...files: string[]): string {
  const found = files.find((file) => existsSync(join(folder, file)));
  return found === undefined ? '' : readFileSync(join(folder, found), 'utf8').trim();
}

/** A test in which the machine must be afterwards as it was before. */
function leavesNothing(title: string, body: (t: TestContext) => Promise<void>): void {
  test(title, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    const before = await fingerprint();
    await body(t);
    await assertUnchanged(before);
  });
}

leavesNothing('each of the six namespaces hides what the machine still sees', async (t) => {
  const wire = { endpoints: ['cta:eth0', 'ctb:eth0'] };
  const eth0 = (address: string) => ({ interfaces: { eth0: { addresses: [address] } } });
  await using lab = await up(
    'ct-six',
    {
      cta: { command: ['sleep', 'infinity'], hostname: 'inside', ...eth0('10.66.0.1/24') },
      ctb: { command: ['sleep', 'infinity'], ...eth0('10.66.0.2/24') },
    },
    { links: [wire] },
  );
  const pid = pidOf('cta');
  const differs = (type: string): void => {
    const inside = readlinkSync(`/proc/${pid}/ns/${type}`);
    assert.notEqual(inside, readlinkSync(`/proc/self/ns/${type}`), type);
    assert.notEqual(inside, readlinkSync(`/proc/${pidOf('ctb')}/ns/${type}`), `${type} of the two`);
  };
  await t.test('uts: its own host name', () => {
    differs('uts');
    assert.equal(lab.ok('cta', 'hostname'), 'inside\n');
    assert.equal(lab.ok('ctb', 'hostname'), 'ctb\n');
    assert.notEqual(hostname(), 'inside');
  });
  await t.test('pid: the command is process 1 inside and another outside', () => {
    differs('pid');
    assert.equal(lab.ok('cta', 'cat', '/proc/1/cmdline'), 'sleep\0infinity\0');
    const pids = lab
      .ok('cta', 'sh', '-c', 'ls /proc')
      .split('\n')
      .filter((name) => /^\d+$/.test(name));
    assert.ok(pids.length <= 4, pids.join());
    const top = JSON.parse(nslabOk(['top', 'cta', '--json'])) as {
      pid: number;
      inside: number;
      command: string;
    }[];
    assert.deepEqual([top[0]?.pid, top[0]?.inside, top[0]?.command], [pid, 1, 'sleep infinity']);
    assert.match(nslabOk(['top', 'cta']), /INSIDE[\s\S]*sleep infinity/);
  });
  await t.test('ipc: a queue made inside is not seen outside', () => {
    differs('ipc');
    lab.ok('cta', 'ipcmk', '-Q');
    const queues = (text: string): number => text.split('\n').filter((line) => /^0x/.test(line)).length;
    assert.equal(queues(lab.ok('cta', 'ipcs', '-q')), 1);
    assert.equal(queues(lab.ok('ctb', 'ipcs', '-q')), 0);
  });
  await t.test('mnt: its own tree, in which what is written stays', () => {
    differs('mnt');
    assert.match(lab.ok('cta', 'mount'), / on \/ type overlay /);
    lab.ok('cta', 'sh', '-c', 'echo mine > /etc/ct-six && rm /etc/profile');
    assert.ok(!existsSync('/etc/ct-six') && existsSync('/etc/profile'));
    assert.notEqual(lab.exec('ctb', 'test', '-e', '/etc/ct-six').status, 0);
    const changes = nslabOk(['changes', 'cta']).split('\n');
    assert.ok(changes.includes('A /etc/ct-six'), changes.join('\n'));
    assert.ok(changes.includes('C /etc') && changes.includes('D /etc/profile'), changes.join('\n'));
  });
  await t.test('mnt: secrets of the machine are not there', () => {
    for (const path of ['/root', '/var/lib/nslab'])
      assert.equal(lab.exec('cta', 'sh', '-c', `ls -A ${path} 2>/dev/null`).stdout, '');
    assert.equal(lab.exec('cta', 'sh', '-c', 'cat /etc/shadow 2>/dev/null').stdout, '');
    assert.notEqual(lab.exec('cta', 'test', '-e', '/run/nslab').status, 0);
  });
  await t.test('net: its own devices, which ip netns exec shows as well', () => {
    differs('net');
    const names = (text: string) =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split(/[ @]/, 1)[0]);
    assert.deepEqual(names(lab.ok('cta', 'ip', '-br', 'link')), ['lo', 'eth0']);
    assert.deepEqual(names(run(['ip', 'netns', 'exec', 'cta', 'ip', '-br', 'link']).stdout), ['lo', 'eth0']);
    lab.ok('cta', 'ping', '-c1', '-W5', '10.66.0.2');
    assert.match(lab.ok('cta', 'ping', '-c1', '-W5', 'ctb'), /10\.66\.0\.2/);
  });
  await t.test('cgroup: it is its own root', () => {
    differs('cgroup');
    const lines = lab.ok('cta', 'cat', '/proc/self/cgroup').trim().split('\n');
    for (const line of lines) assert.match(line, /:\/$/, line);
  });
  await t.test('id: root without most of what root may do', () => {
    assert.match(lab.ok('cta', 'id'), /uid=0/);
    assert.notEqual(lab.exec('cta', 'mount', '-t', 'tmpfs', 'x', '/mnt').status, 0);
    assert.match(lab.ok('cta', 'grep', 'NoNewPrivs', '/proc/self/status'), /1$/m);
    assert.match(lab.ok('cta', 'grep', 'Seccomp:', '/proc/self/status'), /2$/m);
  });
});

leavesNothing('limits stand in the files of the cgroup, and hold', async (t) => {
  const command = ['sleep', 'infinity'];
  await using lab = await up('ct-limits', {
    ctm: { command, memory: '100MB', cpu: 0.5, pids: 20 },
    ctoom: { command: ['sh', '-c', 'tail /dev/zero'], memory: '32MB' },
  });
  await t.test('memory, processors, processes', () => {
    const memory = firstOf(cgroupOf('memory', lab.name, 'ctm'), 'memory.limit_in_bytes', 'memory.max');
    assert.ok(
      ['100000000', '104857600', '99999744', '99999'].some((text) => memory.startsWith(text.slice(0, 5))),
      memory,
    );
    assert.equal(firstOf(cgroupOf('pids', lab.name, 'ctm'), 'pids.max'), '20');
    const quota = firstOf(cgroupOf('cpu', lab.name, 'ctm'), 'cpu.cfs_quota_us', 'cpu.max');
    assert.match(quota, /^50000( 100000)?$/);
  });
  await t.test('who uses more memory is ended, and ps says why', async () => {
    await until('ctoom ends', () => rowOf('ctoom').status === 'exited');
    const { state } = rowOf('ctoom');
    assert.equal(state?.['oom'], true);
    assert.equal(state?.['exit'], 137);
    assert.match(nslabOk(['ps', '-a']), /ctoom .*Exited \(137\).*out of memory/);
  });
  await t.test('a fork bomb finds no more processes, and the machine goes on', () => {
    const bomb = 'i=0; while [ $i -lt 60 ]; do sleep 3 >/dev/null 2>&1 & i=$((i+1)); done';
    const result = lab.exec('ctm', 'sh', '-c', bomb);
    assert.notEqual(result.status, 0);
    assert.match(result.stdout + result.stderr, /[Cc]annot fork|[Rr]esource temporarily/);
    const stats = JSON.parse(nslabOk(['stats', '--no-stream', '--json', 'ctm'])) as Record<string, number>[];
    assert.equal(stats[0]?.['pidsLimit'], 20);
    assert.ok((stats[0]?.['pids'] ?? 99) <= 20);
    assert.ok((stats[0]?.['memory'] ?? 0) > 0 && (stats[0]?.['memoryLimit'] ?? 0) <= 104_857_600);
    assert.match(nslabOk(['stats', '--no-stream']), /ctm +ct-limits/);
  });
});

leavesNothing(
  'time_offsets are clocks of its own, for its command, exec and a user namespace too',
  async () => {
    const node = {
      rootfs: 'host',
      command: ['sh', '-c', 'cat /proc/uptime; exec sleep 1000'],
      time_offsets: { boottime: '24h' },
    };
    using root = mappedRoot();
    const mapped = { ...node, rootfs: root.folder, userns: '100000:65536' };
    await using lab = await up('clocks', { a: node, b: mapped });
    const outside = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    for (const name of ['a', 'b']) {
      const said = [nslabOk(['logs', name]), lab.ok(name, 'cat', '/proc/uptime')];
      for (const text of said) {
        const ahead = Number(text.split(' ')[0]) - outside;
        assert.ok(Math.abs(ahead - 86_400) < 60, `${name}: ${ahead} s ahead`);
      }
    }
  },
);

leavesNothing('logs have what was printed, on its stream and with its time', async () => {
  const script =
    'echo out; echo err >&2; printf partial; sleep 0.2; printf " line\\n"; printf "\\033[2J\\n"; i=0; while [ $i -lt 5 ]; do echo n$i; i=$((i+1)); done';
  await using _lab = await up('ct-logs', { ctl: { command: ['sh', '-c', script] } });
  await until('ctl ends', () => rowOf('ctl').status === 'exited');
  const { stdout, stderr } = nslab(['logs', 'ctl']);
  assert.deepEqual(stdout.split('\n'), ['out', 'partial line', '\x1b[2J', 'n0', 'n1', 'n2', 'n3', 'n4', '']);
  assert.equal(stderr, 'err\n');
  assert.equal(nslabOk(['logs', '--tail', '2', 'ctl']), 'n3\nn4\n');
  assert.equal(nslabOk(['logs', '-f', '-n', '1', 'ctl']), 'n4\n');
  assert.match(nslabOk(['logs', '-t', '--tail', '1', 'ctl']), /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z n4\n$/);
  assert.equal(nslabOk(['logs', '--since', '2999-01-01', 'ctl']), '');
  assert.match(nslabOk(['logs', '--since', '10m', 'ctl']), /^out\n/);
});

leavesNothing('logs -f shows what comes, until the end', async () => {
  await using _lab = await up('ct-follow', {
    ctf: { command: ['sh', '-c', 'echo a; sleep 0.5; echo b; sleep 0.5; echo c'] },
  });
  assert.equal(nslabOk(['logs', '-f', 'ctf']), 'a\nb\nc\n');
});

leavesNothing('a container is stopped, started, paused, killed and waited for', async (t) => {
  const deaf = ['sh', '-c', 'trap "" TERM; echo up; while :; do sleep 1; done'];
  await using lab = await up('ct-life', {
    ctd: { command: deaf },
    ctn: { command: ['sh', '-c', 'trap "exit 5" TERM; echo up; while :; do sleep 0.1; done'] },
  });
  await t.test('stop asks, and kills who does not listen', async () => {
    await until(
      'both have set their traps',
      () => /up/.test(nslab(['logs', 'ctd']).stdout) && /up/.test(nslab(['logs', 'ctn']).stdout),
    );
    const start = Date.now();
    assert.equal(nslabOk(['stop', '-t', '1', 'ctd', 'ctn']), 'ctd\nctn\n');
    assert.ok(Date.now() - start >= 1000);
    assert.deepEqual([rowOf('ctd').state?.['exit'], rowOf('ctn').state?.['exit']], [137, 5]);
    assert.equal(nslabOk(['stop', 'ctd']), 'ctd\n');
  });
  await t.test('its wires stay, and start finds them', () => {
    assert.ok(existsSync('/run/netns/ctd'));
    assert.equal(nslabOk(['start', 'ctd']), 'ctd\n');
    assert.equal(rowOf('ctd').status, 'running');
    const before = pidOf('ctd');
    nslabOk(['restart', '-t', '0', 'ctd']);
    assert.notEqual(pidOf('ctd'), before);
  });
  await t.test('paused it stands still, unpaused it goes on', () => {
    nslabOk(['pause', 'ctd']);
    assert.equal(rowOf('ctd').status, 'paused');
    assert.match(nslabOk(['ps']), /ctd .*\(paused\)/);
    const { status, stderr } = nslab(['pause', 'ctd']);
    assert.equal(status, 7);
    assert.match(stderr, /CONTAINER_REFUSED/);
    nslabOk(['unpause', 'ctd']);
    assert.equal(rowOf('ctd').status, 'running');
  });
  await t.test('wait prints the exit status, that of a kill is 128 + the signal', async () => {
    const waiting = startNslab(['wait', 'ctd']);
    let said = '';
    waiting.stdout?.on('data', (chunk) => {
      said += String(chunk);
    });
    const ended = new Promise((resolve) => waiting.once('close', resolve));
    await pause(300);
    assert.equal(nslabOk(['kill', '-s', 'KILL', 'ctd']), 'ctd\n');
    await ended;
    assert.equal(said, '137\n');
    assert.equal(nslabOk(['wait', 'ctd', 'ctn']), '137\n5\n');
  });
  await t.test('what is not there is named', () => {
    assert.match(nslab(['logs', 'ctdd']).stderr, /CONTAINER_UNKNOWN[\s\S]*did you mean/);
    assert.match(nslab(['kill', '-s', 'NOPE', 'ctn']).stderr, /there is no signal NOPE/);
    assert.equal(lab.exec('ctn', 'true').status === 0, false);
  });
});

leavesNothing('a container that fails is started again as often as its file says', async () => {
  await using _lab = await up('ct-restart', {
    ctr: { command: ['sh', '-c', 'echo try; exit 3'], restart: 'on-failure:2' },
  });
  await until('it is given up', () => rowOf('ctr').status === 'exited');
  assert.equal(rowOf('ctr').state?.['restarts'], 2);
  assert.equal(nslabOk(['logs', 'ctr']), 'try\ntry\ntry\n');
});

leavesNothing('one starts when the other is healthy, or has done its work', async () => {
  const wait = 'sleep 0.5; echo ok > /tmp/ok; exec sleep infinity';
  const healthcheck = {
    test: ['CMD', 'test', '-e', '/tmp/ok'],
    interval: '100ms',
    start_period: '10s',
    start_interval: '100ms',
  };
  await using _lab = await up('ct-depends', {
    last: {
      command: ['sleep', 'infinity'],
      depends_on: {
        db: { condition: 'service_healthy' },
        seed: { condition: 'service_completed_successfully' },
      },
    },
    seed: { command: ['sh', '-c', 'sleep 0.3'] },
    db: { command: ['sh', '-c', wait], healthcheck },
  });
  const started = (node: string): string => String(rowOf(node).state?.['started']);
  assert.ok(started('last') > started('db'));
  assert.ok(started('last') > String(rowOf('seed').state?.['finished']));
  assert.equal(rowOf('db').state?.['health'], 'healthy');
});

leavesNothing('up fails, and undoes all, when what it waits for cannot come', async () => {
  const nodes = {
    last: {
      command: ['sleep', 'infinity'],
      depends_on: { seed: { condition: 'service_completed_successfully' } },
    },
    seed: { command: ['sh', '-c', 'echo no such table; exit 4'] },
  };
  const { status, stderr } = nslab(['up', '-'], { input: topology('ct-fails', nodes) });
  assert.equal(status, 5, stderr);
  assert.match(stderr, /seed ended with status 4/);
});

leavesNothing('a container that cannot be made fails up, with the reason', async () => {
  const { status, stderr } = nslab(['up', '-'], {
    input: topology('ct-none', { ctx: { command: ['/no/such/program'] } }),
  });
  assert.equal(status, 5, stderr);
  assert.match(stderr, /no\/such\/program/);
});

leavesNothing('whoever is killed, down takes all away', async (t) => {
  const node = { command: ['sh', '-c', 'sleep infinity & sleep infinity'], restart: 'always' };
  for (const victim of ['monitor', 'init', 'both']) {
    await t.test(`after kill -9 of ${victim}`, async () => {
      const before = await fingerprint();
      const lab = await up('ct-kill', { ctk: node, ctl: node });
      const { state } = rowOf('ctk');
      if (victim !== 'init') process.kill(Number(state?.['monitor']), 'SIGKILL');
      if (victim !== 'monitor') {
        try {
          process.kill(Number(state?.['pid']), 'SIGKILL');
        } catch {
          // It went with its monitor.
        }
      }
      if (victim === 'monitor') {
        await until('its death is reported', () => rowOf('ctk').status === 'dead');
        assert.match(nslabOk(['ps', '-a']), /ctk .*Dead/);
        nslabOk(['start', 'ctk']);
        assert.equal(rowOf('ctk').status, 'running');
        process.kill(Number(rowOf('ctk').state?.['monitor']), 'SIGKILL');
      }
      assert.equal(lab.down().status, 0);
      await assertUnchanged(before, `kill of ${victim}`);
    });
  }
});

leavesNothing('down kills what ignores everything, frozen or not, and a stopped monitor', async () => {
  const deaf = ['sh', '-c', 'trap "" TERM INT HUP; while :; do sleep 1; done'];
  const lab = await up('ct-deaf', { cta: { command: deaf }, ctb: { command: deaf }, ctc: { command: deaf } });
  nslabOk(['pause', 'ctb']);
  process.kill(Number(rowOf('ctc').state?.['monitor']), 'SIGSTOP');
  assert.equal(lab.down().status, 0);
});

leavesNothing('up that is killed while containers start leaves nothing that down does not find', async () => {
  const nodes = Object.fromEntries(
    Array.from({ length: 8 }, (_, i) => [`ctk${i}`, { command: ['sleep', 'infinity'] }]),
  );
  for (const ms of [60, 120, 180, 250, 350]) {
    const child = startNslab(['up', '/dev/stdin'], {});
    child.kill('SIGKILL');
    const text = topology('ct-shot', nodes);
    const folder = mkdtempSync(join(tmpdir(), 'nslab-shot-'));
    writeFileSync(join(folder, 'lab.yaml'), text);
    const shot = startNslab(['up', join(folder, 'lab.yaml')]);
    await pause(ms);
    shot.kill('SIGKILL');
    const { status, stderr } = nslab(['down', 'ct-shot']);
    assert.equal(status, 0, stderr);
    rmSync(folder, { recursive: true });
  }
});

leavesNothing('what is mounted in the folder of a container is not entered by down', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nslab-kept-'));
  const lab = await up('ct-mount', { ctm: { command: ['sleep', 'infinity'] } });
  mkdirSync(join(folder, 'source'));
  writeFileSync(join(folder, 'source/kept'), '');
  const inside = '/var/lib/nslab/containers/ct-mount/ctm/upper/mnt-here';
  mkdirSync(inside, { recursive: true });
  execFileSync('mount', ['--bind', join(folder, 'source'), inside]);
  assert.equal(lab.down().status, 0);
  assert.deepEqual(readdirSync(join(folder, 'source')), ['kept']);
  rmSync(folder, { recursive: true });
});

leavesNothing('the network of a container is its own, that of another, or that of the machine', async () => {
  await using lab = await up('ct-net', {
    cta: { command: ['sleep', 'infinity'], network_mode: 'none' },
    ctb: { command: ['sleep', 'infinity'], network_mode: 'container:cta' },
    cth: { command: ['sleep', 'infinity'], network_mode: 'host' },
  });
  const netOf = (node: string): string => readlinkSync(`/proc/${pidOf(node)}/ns/net`);
  assert.equal(netOf('ctb'), netOf('cta'));
  assert.equal(netOf('cth'), readlinkSync('/proc/self/ns/net'));
  assert.deepEqual(
    readdirSync('/run/netns').filter((name) => /^ct[abh]$/.test(name)),
    ['cta'],
  );
  assert.match(nslabOk(['ls']), /ct-net +up/);
  for (const node of ['cta', 'ctb', 'cth']) assert.equal(lab.ok(node, 'hostname'), `${node}\n`);
  const view = JSON.parse(nslabOk(['inspect', 'ct-net', '--json'])) as {
    nodes: { node: string; container: Row['state'] }[];
  };
  for (const { container } of view.nodes) assert.equal(container?.['status'], 'running');
  assert.match(nslabOk(['inspect', 'ct-net']), /CONTAINER +STATUS[\s\S]*cth +Up/);
});

leavesNothing('run makes one container, is what the user sees of it, and --rm takes it away', async (t) => {
  await t.test('output, input, exit status', () => {
    const run = (words: string[], input = '') =>
      nslab(['run', '--rm', '--rootfs', 'host', ...words], { input });
    const one = run(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    assert.deepEqual([one.status, one.stdout, one.stderr], [7, 'out\n', 'err\n']);
    assert.equal(run(['-i', 'cat'], 'typed\n').stdout, 'typed\n');
    assert.equal(
      run(['-e', 'A=b c', '-w', '/tmp', '-u', '65534:65534', 'sh', '-c', 'echo "$A" $(pwd) $(id -u)']).stdout,
      'b c /tmp 65534\n',
    );
    assert.equal(run(['--hostname', 'h1', 'hostname']).stdout, 'h1\n');
    assert.deepEqual(run(['ls', '/sys/class/net']).stdout, 'eth0\nlo\n');
    assert.equal(run(['--net', 'none', 'ls', '/sys/class/net']).stdout, 'lo\n');
    assert.equal(run(['--entrypoint', 'echo', 'a', '-n', 'b']).stdout, 'a -n b\n');
    assert.notEqual(run(['--read-only', 'touch', '/etc/x']).status, 0);
    assert.equal(run(['sh', '-c', 'kill -9 $$; exit 3']).status, 3, 'process 1 is not killed from inside');
    assert.equal(run(['--init', 'sh', '-c', 'kill -9 $$']).status, 137);
  });
  await t.test('in the background, by its name', async () => {
    assert.equal(
      nslabOk([
        'run',
        '-d',
        '--name',
        'ctrun',
        '--rootfs',
        'host',
        '-m',
        '64m',
        'sh',
        '-c',
        'echo hello; exec sleep infinity',
      ]),
      'ctrun\n',
    );
    try {
      assert.equal(rowOf('ctrun').status, 'running');
      assert.match(
        nslab(['run', '-d', '--name', 'ctrun', '--rootfs', 'host', 'true']).stderr,
        /LAB_ALREADY_UP/,
      );
      await until('it has said hello', () => nslab(['logs', 'ctrun']).stdout === 'hello\n');
      assert.equal(nslabOk(['exec', 'ctrun', 'cat', '/proc/1/comm']), 'sleep\n');
    } finally {
      nslabOk(['down', 'ctrun']);
    }
  });
  await t.test('a folder as root file system', () => {
    const root = mkdtempSync(join(tmpdir(), 'nslab-root-'));
    try {
      mkdirSync(join(root, 'bin'));
      const busybox = spawnSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).stdout.trim();
      if (busybox === '') {
        t.diagnostic('no busybox here');
        return;
      }
      execFileSync('cp', [busybox, join(root, 'bin/busybox')]);
      const { status, stdout, stderr } = nslab(['run', '--rm', '--rootfs', root, '/bin/busybox', 'ls', '/']);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^bin\ndev\n/);
      assert.deepEqual(readdirSync(root), ['bin']);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
  await t.test('what contradicts itself is refused', () => {
    assert.match(nslab(['run', '-d']).stderr, /an image or --rootfs/);
    assert.match(
      nslab(['run', '--pull', 'never', 'nslab.test/nosuch', 'true']).stderr,
      /there is no image nslab\.test\/nosuch/,
    );
    assert.match(
      nslab(['run', '--rm', '--restart', 'always', '--rootfs', 'host', 'true']).stderr,
      /--rm and --restart/,
    );
    assert.match(nslab(['run', '--rootfs', 'host', '--net', 'container:x', 'true']).stderr, /none or host/);
    assert.match(nslab(['run', '--rootfs', 'host', '-m', 'lots', 'true']).stderr, /lots/);
  });
});

test('the cgroup of a container is on a cgroup file system and nowhere else', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using lab = await up('ct-magic', { ctm: { command: ['sleep', 'infinity'] } });
  const CGROUP = 0x27e0eb;
  const CGROUP2 = 0x63677270;
  assert.ok([CGROUP, CGROUP2].includes(statfsSync(cgroupOf('pids', lab.name, 'ctm')).type));
});

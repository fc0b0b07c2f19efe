// `nslab events` and the interfaces of `nslab stats`, against what `ip` does to a lab and what passes it.

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { patience } from '../support/emulated.ts';
import { nslab, nslabOk, startNslab, type UpLab, upLab } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const PATIENCE_MS = patience(30_000);

const lab = (name: string): string => `
name: ${name}
nodes:
  pc1: {}
  sw: { kind: bridge }
  web: { rootfs: host, command: [sleep, "1000"], network_mode: none }
links:
  - endpoints: [{ node: pc1, interface: eth0, addresses: [10.73.0.1/24] }, sw]
  - endpoints: ["pc1:up", { node: host, interface: ${name}, addresses: [10.73.1.1/24] }]
`;

function eventsTest(title: string, body: (t: TestContext) => Promise<void>): void {
  test(title, { timeout: 4 * PATIENCE_MS }, async (t) => {
    if (!skipUnlessRoot(t, 'e2e')) await body(t);
  });
}

type Watcher = {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  /** Waits until a line matches, and fails with all lines. */
  readonly shown: (pattern: RegExp) => Promise<void>;
};

async function startEvents(...words: string[]): Promise<Watcher> {
  const child = startNslab(['events', ...words]);
  let out = '';
  let said = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    out += bytes.toString();
  });
  child.stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (const end = Date.now() + PATIENCE_MS; !holds(); await pause(20))
      if (Date.now() > end) assert.fail(`no ${what} in:\n${out}${said}`);
  };
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await until('start', () => said.includes('watching lab'));
  return { child, ended, shown: (pattern) => until(String(pattern), () => pattern.test(out)) };
}

function ip(up: UpLab, node: string, ...words: string[]): void {
  up.ok(node, 'ip', ...words);
}

eventsTest('changes are told in the words of the lab, and it ends with the lab', async () => {
  await using up = await upLab('-', { input: lab('evt') });
  const events = await startEvents();
  ip(up, 'pc1', 'link', 'set', 'dev', 'eth0', 'down');
  await events.shown(/^\d\d:\d\d:\d\d\.\d{3} pc1:eth0 is down$/m);
  await events.shown(/ sw:\S+ has no carrier: the other side is down$/m);
  ip(up, 'pc1', 'link', 'set', 'dev', 'eth0', 'up');
  ip(up, 'pc1', 'route', 'add', '10.9.0.0/16', 'via', '10.73.0.9');
  ip(up, 'pc1', 'route', 'del', '10.9.0.0/16', 'via', '10.73.0.9');
  await events.shown(
    / pc1: route to 10\.9\.0\.0\/16 via 10\.73\.0\.9 added\n.* pc1: route to 10\.9\.0\.0\/16 via 10\.73\.0\.9 removed$/m,
  );
  ip(up, 'pc1', 'addr', 'add', '10.73.0.7/24', 'dev', 'eth0');
  await events.shown(/ pc1:eth0: address 10\.73\.0\.7\/24 added$/m);
  ip(up, 'pc1', 'neigh', 'add', '10.73.0.8', 'lladdr', '02:00:00:00:00:08', 'dev', 'eth0');
  await events.shown(/ pc1:eth0: neighbour 10\.73\.0\.8 is at 02:00:00:00:00:08$/m);
  up.exec('pc1', 'ping', '-c', '1', '-W', '1', '10.73.0.99');
  await events.shown(/ sw: \S+ is behind \S+$/m);
  ip(up, 'host', 'link', 'set', 'dev', 'evt', 'mtu', '1300');
  await events.shown(/ host:evt has mtu 1300$/m);
  nslabOk(['stop', '-t', '0', 'web']);
  await events.shown(/ web: container is exited, its command ended with 137$/m);
  nslabOk(['start', 'web']);
  await events.shown(/ web: container is running$/m);
  const down = nslab(['down', '--wait', up.name]);
  assert.equal(down.status, 0, down.stderr);
  await events.shown(/ pc1 is gone$/m);
  assert.equal(await events.ended, 0);
  await up.down();
});

/** The processes that a process has started. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

eventsTest('as JSON, and what was lost is told', async () => {
  await using up = await upLab('-', { input: lab('evj') });
  const events = await startEvents('--json', 'evj');
  ip(up, 'pc1', 'link', 'set', 'dev', 'eth0', 'mtu', '1400');
  await events.shown(
    /"lab":"evj","node":"pc1","event":"link","interface":"eth0","change":"changed","mtu":1400\}$/m,
  );
  const [helper = 0] = childrenOf(events.child.pid ?? 0);
  process.kill(helper, 'SIGSTOP');
  const routes =
    'i=0; while [ $i -lt 8000 ]; do echo "route add 10.$((100 + i / 256)).$((i % 256)).0/24 dev eth0"; i=$((i + 1)); done';
  up.ok('pc1', 'sh', '-c', `(${routes}) | ip -batch -`);
  process.kill(helper, 'SIGCONT');
  await events.shown(/"node":"pc1","event":"lost"\}$/m);
  // It goes on.
  ip(up, 'pc1', 'link', 'set', 'dev', 'eth0', 'mtu', '1300');
  await events.shown(/"mtu":1300\}$/m);
  events.child.kill('SIGINT');
  assert.equal(await events.ended, 0);
  assert.equal(nslab(['events', 'nosuch']).status, 7);
});

eventsTest('stats counts what passes the interfaces of a lab', async () => {
  await using up = await upLab('-', { input: lab('evs') });
  type Row = Readonly<Record<string, unknown>>;
  const all = (): { interfaces: Row[]; containers: Row[] } =>
    JSON.parse(nslabOk(['stats', '--no-stream', '--json', 'evs']));
  const row = (name: string): Row | undefined =>
    all().interfaces.find((one) => `${one['node']}:${one['interface']}` === name);
  const before = Number(row('host:evs')?.['rxPackets']);
  const kernel = (): number => Number(up.ok('host', 'cat', '/sys/class/net/evs/statistics/rx_packets'));
  ip(up, 'pc1', 'addr', 'add', '10.73.1.2/24', 'dev', 'up');
  up.ok('pc1', 'ping', '-c', '3', '-i', '0.2', '10.73.1.1');
  const after = Number(row('host:evs')?.['rxPackets']);
  assert.ok(after >= before + 3, `${before} ${after}`);
  assert.ok(after <= kernel());
  const names = all().interfaces.map((one) => `${one['node']}:${one['interface']}`);
  for (const name of ['pc1:eth0', 'pc1:up', 'host:evs']) assert.ok(names.includes(name), names.join());
  assert.deepEqual(
    all().containers.map((one) => one['node']),
    ['web'],
  );

  const only = (...words: string[]): Row[] =>
    JSON.parse(nslabOk(['stats', '--no-stream', '--json', ...words]));
  assert.deepEqual(
    only('pc1').map((one) => one['interface']),
    ['eth0', 'up'],
  );
  assert.deepEqual(
    only('web').map((one) => one['node']),
    ['web'],
  );
  assert.ok('memory' in (only('web')[0] ?? {}));
  assert.deepEqual(
    only('--containers').map((one) => one['node']),
    ['web'],
  );
  assert.ok(only('--interfaces', '--lab', 'evs').every((one) => 'rxBytes' in one));
  const text = nslabOk(['stats', '--no-stream']);
  assert.match(text, /^INTERFACE +LAB +STATE /m);
  assert.match(text, /^pc1:eth0 +evs +up +/m);
  assert.match(text, /^web +evs +[0-9.]+% /m);
  assert.equal(nslab(['stats', '--no-stream', 'nosuch']).status, 7);
});

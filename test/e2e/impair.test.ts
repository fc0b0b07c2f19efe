// `nslab impair` and `impair` of the file on the real kernel: what is set, merged, measured and taken away; links that flap.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { dumpPlaces } from '../support/dump.ts';
import { patience } from '../support/emulated.ts';
import { differences } from '../support/fingerprint.ts';
import { nslab, nslabOk, run, startNslab, type UpLab, upLab } from '../support/nslab.ts';
import { hasNetem, skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

const folder = mkdtempSync(join(tmpdir(), 'nslab-impair-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;

function fileOf(impair: string): string {
  const path = join(folder, `lab${files++}.yaml`);
  writeFileSync(
    path,
    `
name: timp
nodes:
  timp-a:
    interfaces: { eth0: { addresses: [10.200.1.1/24, "2001:db8::1/64"] } }
    routes: [default via 10.200.1.2, 10.200.9.0/24 dev eth0]
  timp-b: { interfaces: { eth0: { addresses: [10.200.1.2/24, "2001:db8::2/64"] } } }
links:
  - { endpoints: ["timp-a:eth0", "timp-b:eth0"]${impair} }
`,
  );
  return path;
}

type Row = {
  readonly node: string;
  readonly interface: string;
  readonly qdisc: string;
  readonly text: string;
};

function rows(...words: readonly string[]): string[] {
  const all = JSON.parse(nslabOk(['impair', ...words, '--json'])) as Row[];
  return all.map((row) => `${row.node}:${row.interface} ${row.qdisc} ${row.text}`);
}

function fails(words: readonly string[], status: number, message: RegExp): void {
  const result = nslab(['impair', ...words]);
  assert.equal(result.status, status, `${words.join(' ')}: ${result.stdout}${result.stderr}`);
  assert.match(result.stderr, message);
  assert.doesNotMatch(result.stderr, /^\s+at /m);
}

function skipWithoutNetem(t: TestContext): boolean {
  if (hasNetem()) return false;
  skipKernelLacks(t, 'netem');
  return true;
}

function ip(...words: string[]): string {
  const { status, stdout, stderr } = run(['ip', ...words]);
  assert.equal(status, 0, stderr);
  return stdout;
}

/** Milliseconds that so many bytes take from a to b. */
function transfer(lab: UpLab, bytes: number): number {
  const server = `require('net').createServer((s) => { let n = 0; s.on('data', (d) => { n += d.length; if (n >= ${bytes}) s.end('ok'); }); s.on('close', () => process.exit()); }).listen(7777)`;
  const client = `const t = performance.now(); const s = require('net').connect(7777, '10.200.1.2'); s.on('connect', () => s.write(Buffer.alloc(${bytes}))); s.on('error', () => process.exit(1)); s.on('data', () => { console.log(performance.now() - t); process.exit(); })`;
  const retry = `for i in $(seq 200); do timeout 60 "${process.execPath}" -e "$1" && exit; sleep 0.05; done; exit 1`;
  const listening = startNslab(['exec', 'timp-b', process.execPath, '-e', server]);
  try {
    return Number(lab.ok('timp-a', 'sh', '-c', retry, 'sh', client));
  } finally {
    listening.kill();
  }
}

test('a rate of the file holds in its direction, and impair changes, lists and clears it', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using lab = await upLab(fileOf(', impair: { rate: 4mbit }'));
  assert.deepEqual(rows(), ['timp-a:eth0 tbf rate 4mbit', 'timp-b:eth0 tbf rate 4mbit']);
  assert.match(nslabOk(['impair']), /^timp-a:eth0 +timp +tbf +rate 4mbit$/m);
  // 500 kB at 500 kB a second.
  const slow = transfer(lab, 500_000);
  assert.ok(slow > 700, `${slow} ms`);
  assert.deepEqual(rows('timp-a:eth0', '--clear'), ['timp-a:eth0 none ']);
  const fast = transfer(lab, 500_000);
  assert.ok(fast < slow, `${fast} ms after ${slow} ms`);
  assert.deepEqual(rows(), ['timp-b:eth0 tbf rate 4mbit'], 'the other direction is as it was');
  assert.deepEqual(rows('timp-b:eth0', 'rate', '64kbit', '--both').length, 2);
  assert.deepEqual(rows('timp-a:eth0'), ['timp-a:eth0 tbf rate 64kbit']);
  rows('timp-a:eth0', '--clear', '--both');
  assert.deepEqual(rows(), []);
  assert.equal(nslabOk(['impair']), 'nothing is impaired\n');
});

test('the commands that explain prints make the same rates, also where an interface has another MTU', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const file = fileOf(', mtu: 9000, impair: { rate: 10mbit }');
  const places = ['timp-a', 'timp-b'];
  const bash = (down: readonly string[]): void => {
    const { status, stderr } = run(['bash'], { input: nslabOk(['explain', ...down, file]) });
    assert.equal(status, 0, stderr);
  };
  let byHand: ReturnType<typeof dumpPlaces>;
  try {
    bash([]);
    byHand = dumpPlaces(places);
  } finally {
    bash(['--down']);
  }
  await using _lab = await upLab(file);
  assert.deepEqual(differences(byHand, dumpPlaces(places)), []);
  assert.match([...byHand].flat(2).join('\n'), /"kind":"tbf"/);
});

test('what is not understood or not there is told, and nothing is changed', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  fails(['timp-a:eth0', 'dely', '2ms'], 2, /USAGE.*"dely"[\s\S]*did you mean "delay"/);
  fails(['timp-a:eth0', 'delay', '20'], 2, /20 has no unit[\s\S]*20ms or 20s/);
  fails(['timp-a:eth0', 'loss', '200%'], 2, /more than 100%/);
  fails(['timp-a:eth0', 'loss'], 2, /loss has no value/);
  fails(['timp-a:eth0', 'rate', '1mbit', 'rate', '2mbit'], 2, /rate is there twice/);
  fails(['timp-a:eth0', 'flap', '1s', 'loss', '1%'], 2, /flap stands alone/);
  fails(['--both'], 2, /USAGE/);
  fails(['timp-a:eth0', '--clear', 'loss', '1%'], 2, /USAGE/);
  fails(['timp-a:eth0', 'loss', '1%', '--count', '3'], 2, /USAGE.*--count/);
  await using _lab = await upLab(fileOf(''));
  fails(['timp-a', 'loss', '1%'], 2, /"timp-a" is no interface of a node/);
  fails(['timp-x:eth0', 'rate', '1mbit'], 7, /NODE_UNKNOWN/);
  fails(['timp-a:eth1', 'rate', '1mbit'], 7, /INTERFACE_UNKNOWN/);
  fails(['timp-a:eth0', 'rate', '1mbit', '--lab', 'none'], 7, /LAB_UNKNOWN/);
  fails(['timp-a:lo', 'rate', '1mbit', '--both'], 2, /no end of a wire/);
  fails(['timp-a:eth0', 'jitter', '2ms'], 2, /jitter needs a delay/);
  assert.equal(
    run(['tc', '-n', 'timp-a', 'qdisc', 'replace', 'dev', 'eth0', 'root', 'pfifo', 'limit', '9']).status,
    0,
  );
  fails(
    ['timp-a:eth0', 'rate', '1mbit'],
    7,
    /QDISC_FOREIGN.*pfifo[\s\S]*tc -n timp-a qdisc del dev eth0 root/,
  );
  assert.match(run(['tc', '-n', 'timp-a', 'qdisc', 'show', 'dev', 'eth0']).stdout, /pfifo .*limit 9p/);
});

test('a kernel without netem is told by the name of the module, and a lab that needs it is not made', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  if (hasNetem()) {
    t.diagnostic('this kernel has netem: nothing to refuse');
    return;
  }
  const result = nslab(['up', fileOf(', impair: { delay: 20ms }')]);
  assert.equal(result.status, 4, result.stderr);
  assert.match(result.stderr, /HOST_KERNEL_LACKS[\s\S]*sch_netem/);
  await using _lab = await upLab(fileOf(', impair: { rate: 4mbit }'));
  fails(['timp-a:eth0', 'loss', '1%'], 4, /HOST_KERNEL_LACKS.*netem loss 1%[\s\S]*modprobe sch_netem/);
  assert.deepEqual(rows('timp-a:eth0'), ['timp-a:eth0 tbf rate 4mbit'], 'what was set is still set');
});

test('a delay is measured, grows with --both, merges with a loss that is measured, and goes', async (t) => {
  if (skipUnlessRoot(t, 'e2e') || skipWithoutNetem(t)) return;
  await using lab = await upLab(fileOf(', impair: { delay: 100ms, limit: 5000 }'));
  const ping = (count: number, interval: string): { lost: number; least: number } => {
    const { stdout } = lab.exec(
      'timp-a',
      'ping',
      '-q',
      '-c',
      `${count}`,
      '-i',
      interval,
      '-W',
      '3',
      '10.200.1.2',
    );
    const received = Number(/(\d+) received/.exec(stdout)?.[1]);
    return { lost: count - received, least: Number(/= ([\d.]+)\//.exec(stdout)?.[1] ?? Number.NaN) };
  };
  const both = ping(3, '0.2').least;
  assert.ok(both >= 200 && both < 290, `${both} ms with 100 ms each way`);
  rows('timp-b:eth0', '--clear');
  const one = ping(3, '0.2').least;
  assert.ok(one >= 100 && one < 190, `${one} ms with 100 ms one way`);
  assert.deepEqual(rows('timp-a:eth0', 'loss', '30%'), ['timp-a:eth0 netem limit 5000 delay 100ms loss 30%']);
  // 30 of 100 with a deviation of 4.6: six of them either way.
  const { lost } = ping(100, '0.02');
  assert.ok(lost > 2 && lost < 58, `${lost} of 100 lost`);
  assert.deepEqual(rows('timp-a:eth0', 'delay', '0ms', 'limit', '0'), ['timp-a:eth0 netem loss 30%']);
  assert.deepEqual(rows('timp-a:eth0', 'loss', '0%', 'rate', '8mbit'), ['timp-a:eth0 tbf rate 8mbit']);
  assert.deepEqual(rows('timp-a:eth0', 'delay', '1ms'), ['timp-a:eth0 netem delay 1ms rate 8mbit']);
  rows('timp-a:eth0', '--clear');
  assert.ok(ping(3, '0.2').least < 90);
});

test('a link that flaps comes back with its addresses and routes, also when it is stopped', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using _lab = await upLab(fileOf(''));
  const state = (): string[] => [
    ip('-n', 'timp-a', '-br', 'addr', 'show', 'dev', 'eth0')
      .replaceAll(/fe80\S+/g, 'fe80')
      .trim(),
    ip('-n', 'timp-a', 'route'),
    ip('-n', 'timp-a', '-6', 'route').replaceAll(/ (linkdown|metric \d+)/g, ''),
  ];
  const before = state();
  const out = nslabOk(['impair', 'timp-a:eth0', 'flap', '100ms', '--count', '2', '--json']);
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).state);
  assert.deepEqual(lines, ['down', 'up', 'down', 'up']);
  const settled = async (): Promise<void> => {
    const deadline = Date.now() + patience(5000);
    while (Date.now() < deadline && JSON.stringify(state()) !== JSON.stringify(before)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.deepEqual(state(), before);
  };
  await settled();

  const flapping = startNslab(['impair', 'timp-a:eth0', 'flap', '10s', '--both']);
  await once(flapping.stdout ?? flapping, 'data');
  assert.match(ip('-n', 'timp-a', 'link', 'show', 'eth0'), /state DOWN/);
  flapping.kill('SIGINT');
  const [status] = await once(flapping, 'exit');
  assert.equal(status, 0);
  await settled();
});

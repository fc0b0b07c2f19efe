// `nslab test` as it is typed: its table, JSON, TAP and JUnit, points and exit statuses, labs that were made by hand, all labs at
// once, and who reaches whom. The causes that it names are in kernel/diagnose.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { patience } from '../support/emulated.ts';
import { nslab, nslabOk, run, upLab } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

/** An answer comes in a millisecond, or never. */
const quick = ['--timeout', String(patience(500) / 1000)];

const echo =
  'require("node:dgram").createSocket("udp4").bind(7).on("message", function (m, r) { this.send(m, r.port, r.address) })';
const web =
  'require("node:http").createServer((q, a) => { a.statusCode = q.url === "/gone" ? 410 : 200; a.end("hello " + q.headers.host) }).listen(80, "::")';
const server = (code: string): string =>
  JSON.stringify(['setsid', '-f', 'sh', '-c', `exec node -e '${code}' </dev/null >/dev/null 2>&1`]);

const classroom = (tests: string) => `
name: classroom
nodes:
  pc: { interfaces: { eth0: { addresses: [10.3.0.1/24, "2001:db8:3::1/64"] } } }
  srv:
    interfaces: { eth0: { addresses: [10.3.0.2/24, "2001:db8:3::2/64"] } }
    exec: [${server(web)}, ${server(echo)}]
links: [{ endpoints: ["pc:eth0", "srv:eth0"] }]
tests:
${tests}`;

const good = `
  - { from: pc, ping: srv, points: 2 }
  - { from: pc, ping: "2001:db8:3::2" }
  - { from: pc, tcp: "srv:80", within: 30s }
  - { from: pc, tcp: "[2001:db8:3::2]:80", within: 30s }
  - { from: pc, udp: "srv:7", within: 30s }
  - { from: pc, udp: "srv:8", expect: unreachable }
  - { from: pc, http: "http://srv/", expect: { stdout: hello srv }, within: 30s }
  - { from: pc, http: "http://[2001:db8:3::2]/", within: 30s }
  - { from: pc, http: "http://srv/gone", expect: { status: 410 }, within: 30s }
  - { from: pc, tcp: "srv:81", expect: unreachable }
  - { from: pc, run: "exit 3", expect: { exit: 3 } }
  - { from: srv, run: "cat /proc/sys/net/ipv4/ip_forward", expect: { stdout: "0" } }
  - { from: host, run: "true" }
`;

test('every kind of test passes where it should, and the points add up', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using _lab = await upLab('-', { input: classroom(good) });
  const { status, stdout, stderr } = nslab(['test', ...quick]);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^passed {2}2\/2 {2}pc: ping srv: answer in \d+\.\d\d ms\n/);
  assert.match(stdout, /\nlab classroom: 13 of 13 tests passed, 14 of 14 points\n$/);
});

const bad = `
  - { from: pc, ping: 10.3.0.9, points: 2.5, name: "<nobody> & \\"co\\" # 1" }
  - { from: pc, http: "http://srv/gone", within: 30s }
  - { from: pc, ping: srv, expect: unreachable }
  - { from: pc, ping: nowhere }
  - { from: pc, run: "echo some words >&2; exit 4" }
  - { from: pc, run: "echo yes", expect: { stdout: "no" } }
  - { from: pc, ping: srv }
`;

test('what fails is told: in a table, JSON, TAP and JUnit, and by the exit status', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const folder = mkdtempSync(join(tmpdir(), 'nslab-test-'));
  try {
    await using _lab = await upLab('-', { input: classroom(bad.replace('30s', '1s')) });
    const junit = join(folder, 'scores.xml');
    const { status, stdout } = nslab(['test', 'classroom', '--junit', junit, ...quick]);
    assert.equal(status, 6, stdout);
    const lines = stdout.split('\n');
    assert.equal(
      lines[0],
      'failed  0/2.5  <nobody> & "co" # 1: no answer in 0.5 s'.replace('0.5', String(patience(500) / 1000)),
    );
    assert.equal(
      lines[1],
      '               why: pc: nobody has 10.3.0.9 on the wire of eth0 (there are srv:eth0 10.3.0.2/24)',
    );
    assert.match(stdout, /pc: http http:\/\/srv\/gone: status 410 \(\d+ tries, /);
    assert.match(stdout, /pc: ping nowhere: nowhere is no address and no name that pc knows\n/);
    assert.match(stdout, /: exit 4: "some words"\n/);
    assert.match(stdout, /: exit 0, without "no": "yes"\n/);
    assert.match(stdout, /\nlab classroom: 1 of 7 tests passed, 1 of 8.5 points\n$/);

    const xml = readFileSync(junit, 'utf8');
    assert.match(xml, /<testsuites tests="7" failures="6" errors="0" time="/);
    assert.match(xml, /<testcase name="&lt;nobody&gt; &amp; &quot;co&quot; # 1" classname="classroom\.pc"/);
    assert.match(xml, /<failure message="[^"]*nobody has 10\.3\.0\.9[^"]*" type="no-neighbour">/);

    const tap = nslab(['test', '--tap', ...quick]);
    assert.equal(tap.status, 6);
    assert.match(tap.stdout, /^TAP version 14\n1\.\.7\nnot ok 1 - <nobody> & "co" \\# 1\n {2}---\n/);
    assert.match(tap.stdout, /\nok 7 - pc: ping srv\n$/);

    const report = JSON.parse(nslab(['test', '--json', ...quick]).stdout);
    assert.deepEqual([report.lab, report.passed, report.points, report.of], ['classroom', 1, 1, 8.5]);
    const [first] = report.tests;
    assert.deepEqual(first.died.path, ['pc']);
    assert.deepEqual(
      [first.passed, first.points, first.of, first.died.code],
      [false, 0, 2.5, 'no-neighbour'],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a failing test is tried again until its time is over', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const tests = `
  - { from: pc, run: "true" }
  - { from: pc, tcp: "srv:82", within: 60s }
`;
  const late = `setTimeout(() => require("node:net").createServer().listen(82), 1500)`;
  const file = classroom(tests).replace(`[${server(web)}, ${server(echo)}]`, `[${server(late)}]`);
  await using _lab = await upLab('-', { input: file });
  const report = JSON.parse(nslabOk(['test', '--json', ...quick]));
  assert.ok(report.tests[1].tries > 1, JSON.stringify(report));
});

test('one score sheet of all labs, and a lab without tests is no part of it', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const none = nslab(['test', '--all']);
  assert.equal(none.status, 7);
  const copy = (name: string, extra = '') => `
name: ${name}
nodes: { ${name}: {} }
tests: [{ from: ${name}, ping: 127.0.0.1, points: 3 }${extra}]`;
  await using _good = await upLab('-', { input: copy('anna') });
  await using _bad = await upLab('-', {
    input: copy('bert', ', { from: bert, ping: 192.0.2.1, name: out }'),
  });
  await using bare = await upLab('-', { input: 'name: carl\nnodes: { carl: {} }' });
  const { status, stdout } = nslab(['test', '--all', ...quick]);
  assert.equal(status, 6);
  assert.equal(stdout, 'LAB   PASSED  POINTS  FAILED\nanna  1 of 1  3/3\nbert  1 of 2  3/4     out\n');
  const sheet = JSON.parse(nslab(['test', '--all', '--json', ...quick]).stdout) as { lab: string }[];
  assert.deepEqual(
    sheet.map(({ lab }) => lab),
    ['anna', 'bert'],
  );
  const without = nslab(['test', bare.name]);
  assert.equal(without.status, 7);
  assert.match(without.stderr, /^error\[TEST_NONE\] lab carl has no tests\n/);
  assert.equal(nslab(['test']).status, 7);
  assert.equal(nslab(['test', 'dora']).status, 7);
  for (const words of [
    ['anna', '--all'],
    ['--json', '--tap'],
    ['--matrix', '--tap'],
    ['--timeout', '0'],
  ])
    assert.equal(nslab(['test', ...words]).status, 2, words.join(' '));
});

test('namespaces that somebody made by hand are tested by the file, and walked', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const folder = mkdtempSync(join(tmpdir(), 'nslab-by-hand-'));
  const names = ['hand-a', 'hand-b'];
  const shell = (command: string): void => {
    const { status, stderr } = run(['bash', '-euc', command]);
    assert.equal(status, 0, `${command}: ${stderr}`);
  };
  try {
    const file = join(folder, 'homework.yaml');
    writeFileSync(
      file,
      `name: homework
nodes:
  hand-a: { interfaces: { e0: { addresses: [10.7.0.1/24] } } }
  hand-b: { interfaces: { e0: { addresses: [10.7.0.2/24] } } }
links: [{ endpoints: ["hand-a:e0", "hand-b:e0"] }]
tests:
  - { from: hand-a, ping: hand-b, points: 3 }
  - { from: hand-a, run: "grep e0: /proc/net/dev", expect: { stdout: "e0:" } }
`,
    );
    const grade = (): { passed: number; tests: { found: string; died?: { text: string } }[] } =>
      JSON.parse(nslab(['test', file, '--json', ...quick]).stdout);
    assert.deepEqual(
      grade().tests.map(({ found }) => found),
      ['the namespace is not there', 'the namespace is not there'],
    );
    for (const name of names) shell(`ip netns add ${name}`);
    shell('ip -n hand-a link add e0 type veth peer name e0 netns hand-b');
    shell('ip -n hand-a addr add 10.7.0.1/24 dev e0; ip -n hand-b addr add 10.7.0.2/24 dev e0');
    shell('ip -n hand-a link set e0 up');
    assert.equal(grade().tests[0]?.died?.text, 'hand-b:e0 is down');
    shell('ip -n hand-b link set e0 up');
    assert.equal(grade().passed, 2);
  } finally {
    for (const name of names) run(['ip', 'netns', 'del', name]);
    rmSync(folder, { recursive: true });
  }
});

test('the matrix asks every node for every other, thirty in less than five seconds', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const count = 30;
  const each = (text: (i: number) => string, join_: string): string =>
    Array.from({ length: count }, (_, i) => text(i + 1)).join(join_);
  const star = `
name: star
nodes:
  sw: { kind: bridge }
${each((i) => `  n${i}: { interfaces: { eth0: { addresses: [10.4.0.${i}/24] } } }`, '\n')}
links: [${each((i) => `{ endpoints: ["n${i}:eth0", "sw:p${i}"] }`, ', ')}]`;
  await using _lab = await upLab('-', { input: star });
  const began = performance.now();
  const whole = JSON.parse(nslabOk(['test', '--matrix', '--json']));
  const seconds = (performance.now() - began) / 1000;
  t.diagnostic(`matrix of ${count}: ${seconds.toFixed(2)} s`);
  assert.equal(whole.cells.length, count * (count - 1));
  assert.ok(
    whole.cells.every((cell: { reached: boolean }) => cell.reached),
    JSON.stringify(whole.cells.filter((cell: { reached: boolean }) => !cell.reached).slice(0, 3)),
  );
  assert.ok(seconds < patience(5000) / 1000, `${seconds} s`);
  assert.equal(run(['ip', '-n', 'sw', 'link', 'set', 'p3', 'down']).status, 0);
  const text = nslabOk(['test', '--matrix', ...quick]);
  assert.match(text, /^FROM +1 +2 +3 /);
  assert.match(text, /\n1 n1 +\. +x( +\.)+\n/);
  assert.match(text, /\nn7 does not reach n3: 10\.4\.0\.3, silence\n/);
  assert.match(text, /\n812 of 870 pairs reach each other in lab star\n$/);
});

// The command line on the real kernel: exit statuses, refusals that touch nothing, labs side by side, labs that somebody
// damaged, and interruptions. Labs have names of their own (tcli-...), so that they meet no lab of the user's; what would
// concern all labs of the machine runs over a private /run.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { dumpPlaces } from '../support/dump.ts';
import { patience, rounds } from '../support/emulated.ts';
import { assertUnchanged, differences, fingerprint } from '../support/fingerprint.ts';
import { nslab, nslabCommand, nslabOk, type Run, root, run, startNslab, upLab } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const folder = mkdtempSync(join(tmpdir(), 'nslab-cli-'));
after(() => rmSync(folder, { recursive: true, force: true }));

// The first `ip netns add` of a machine makes /run/netns a mount point for good.
before(() => {
  if (process.geteuid?.() !== 0) return;
  ip('netns', 'add', 'tcli-first');
  ip('netns', 'del', 'tcli-first');
});

let files = 0;

function fileOf(text: string): string {
  const path = join(folder, `lab${files++}.yaml`);
  writeFileSync(path, text);
  return path;
}

const pair = `
name: tcli-pair
nodes: { tcli-a: {}, tcli-b: {} }
links:
  - endpoints:
      - { node: tcli-a, interface: eth0, addresses: [10.200.1.1/24] }
      - { node: tcli-b, interface: eth0, addresses: [10.200.1.2/24] }
`;
/** One end is on the machine. */
const attached = `
name: tcli-attached
nodes: { tcli-c: {} }
links:
  - endpoints:
      - { node: host, interface: tclihost0, addresses: [10.200.2.1/24] }
      - { node: tcli-c, interface: eth0, addresses: [10.200.2.2/24] }
`;
const translated = attached
  .replace('tcli-attached', 'tcli-nat')
  .replace(
    'nodes: {',
    'nodes: { host: { nat: [{ masquerade: { out: tclihost0, source: 10.200.3.0/24 } }] },',
  );

/** A test as root, that fails if it leaves anything behind. */
function rootTest(title: string, body: (t: TestContext) => void | Promise<void>): void {
  test(title, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    const was = await fingerprint();
    await body(t);
    await assertUnchanged(was);
  });
}

function ip(...words: string[]): string {
  return execFileSync('ip', words, { encoding: 'utf8' });
}

function assertFails({ status, stdout, stderr }: Run, expected: number, message: RegExp): void {
  assert.equal(status, expected, `${stdout}${stderr}`);
  assert.match(stderr, message);
  assert.doesNotMatch(`${stdout}${stderr}`, /^\s+at /m, 'a stack trace');
}

/** Runs a shell script where /run is a tmpfs of its own, with `$nslab` as the program. */
function withPrivateRun(script: string, options = ''): Run {
  const prelude = `mount -t tmpfs ${options} tmpfs /run || exit 99; mkdir /run/netns;`;
  const shell = `nslab() { ${nslabCommand(['x']).slice(0, -1).join(' ')} "$@"; }; ${prelude} ${script}`;
  return run(['unshare', '-m', 'sh', '-c', shell]);
}

const usage: readonly (readonly [readonly string[], number, RegExp])[] = [
  [[], 2, /^error\[USAGE\] a command is missing/],
  [['bogus'], 2, /^error\[USAGE\] .*bogus/],
  [['dwon'], 2, /^error\[USAGE\] there is no command dwon\n {2}hint: did you mean "down"\?/],
  [['bogus', 'x.yaml', '--json'], 2, /^error\[USAGE\] there is no command bogus\n/],
  [['up'], 2, /^error\[USAGE\]/],
  [['up', 'x.yaml', '--bogus'], 2, /^error\[USAGE\] nslab up has no option --bogus\n/],
  [['up', '--bogus', 'x.yaml'], 2, /^error\[USAGE\] nslab up has no option --bogus\n/],
  [['up', '--prefx', 'a-', 'x.yaml'], 2, /no option --prefx\n {2}hint: did you mean "--prefix"\?/],
  [['ls', '-x'], 2, /^error\[USAGE\] nslab ls has no option -x\n/],
  [['up', ''], 3, /^error\[FILE_/],
  [['up', 'topologies/switch.yaml', '--var', 'X'], 2, /^error\[USAGE\] --var X: NAME=VALUE is needed/],
  [['validate', 'topologies/switch.yaml', '--var', 'MTU=1'], 2, /^error\[USAGE\] --var MTU: .* no variable/],
  [['down', 'a', '--all'], 2, /^error\[USAGE\] name a lab or say --all, not both/],
  [['explain', 'NO_SUCH_CODE'], 2, /^error\[USAGE\] there is no error code NO_SUCH_CODE/],
  [['exec'], 2, /USAGE/],
  [['exec', 'a'], 2, /USAGE/],
  [['exec', 'tcli-nobody', 'true'], 7, /^error\[NODE_UNKNOWN\]/],
  [['inspect', 'tcli-nolab'], 7, /^error\[LAB_UNKNOWN\] no lab tcli-nolab is up/],
  [['up', 'no/such/file.yaml'], 3, /^error\[FILE_[A-Z_]+\].*no\/such\/file\.yaml/],
  [['up', '/'], 3, /^error\[FILE_[A-Z_]+\]/],
  [['validate', '/dev/null'], 3, /^error\[/],
  [['validate', process.execPath], 3, /^error\[/],
];

for (const [args, status, message] of usage) {
  rootTest(`nslab ${args.join(' ')} ends with status ${status} and says why`, () =>
    assertFails(nslab(args), status, message),
  );
}

test('help and version go to stdout and succeed', () => {
  assert.match(nslabOk(['--help']), /Commands:[\s\S]*nslab up <file>/);
  assert.match(nslabOk(['up', '--help']), /--prefix/);
  assert.match(nslabOk(['exec', '--help']), /nslab exec/);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  assert.equal(nslabOk(['--version']).trim(), version);
});

test('explain CODE tells what a code means and how to mend it', () => {
  const text = nslabOk(['explain', 'HOST_NAME_TAKEN']);
  assert.match(text, /^HOST_NAME_TAKEN \(exit status 4\)\n\n/);
  assert.match(text, /--prefix/);
});

rootTest('who is not root is told so in one line, and may plan, explain and validate', () => {
  // In a user namespace without a mapping we are nobody, but still the owner of our files.
  const asNobody = (...args: string[]) => run(['unshare', '-U', ...nslabCommand(args)]);
  for (const args of [['up', 'topologies/switch.yaml'], ['down'], ['ls'], ['inspect']]) {
    const result = asNobody(...args);
    assertFails(
      result,
      4,
      /^error\[HOST_NOT_ROOT\] nslab (up|down|ls|inspect) must be run as root\n {2}hint: .*sudo.*\n$/,
    );
    assert.equal(result.stdout, '');
  }
  for (const verb of ['plan', 'explain', 'validate']) {
    assert.equal(asNobody(verb, 'topologies/switch.yaml').status, 0, verb);
  }
});

rootTest('validate --json names place, code and hint of every problem', () => {
  const file = fileOf('nodes: { a: { interfacez: {} }, b: { kind: ruoter } }\n');
  const { status, stdout } = nslab(['validate', '--json', file]);
  assert.equal(status, 3);
  const { valid, problems } = JSON.parse(stdout);
  assert.equal(valid, false);
  assert.ok(problems.length >= 2, stdout);
  assert.equal(problems[0].code, 'UNKNOWN_KEY');
  assert.equal(problems[0].where.file, file);
  assert.equal(problems[0].where.line, 1);
  assert.match(problems[0].hint, /interfaces/);
  const good = JSON.parse(nslabOk(['validate', '--json', '-'], { input: pair }));
  assert.deepEqual([good.valid, good.lab], [true, 'tcli-pair']);
});

rootTest('a file on stdin, a prefix and a variable', async () => {
  const text = pair.replace('interface: eth0,', `interface: eth0, mtu: "$\{MTU:-1500}",`);
  await using lab = await upLab('-', { input: text, prefix: 'x-', vars: ['MTU=1400'] });
  assert.equal(lab.name, 'x-tcli-pair');
  const [link] = JSON.parse(ip('-j', '-n', 'x-tcli-a', 'link', 'show', 'eth0'));
  assert.equal(link.mtu, 1400);
  // A node is called by the name of the file or by that of its namespace.
  for (const name of ['tcli-a', 'x-tcli-a'])
    assert.equal(lab.exec(name, 'ping', '-c1', '-W5', 'tcli-b').status, 0);
});

rootTest('up on a lab that is up changes nothing, and with another file what differs', async () => {
  const file = fileOf(pair);
  await using lab = await upLab(file);
  const places = ['tcli-a', 'tcli-b', null];
  const before = dumpPlaces(places);
  assert.match(nslabOk(['up', file]), /^lab tcli-pair is up already: 2 nodes, 1 link, nothing to change\n$/);
  writeFileSync(file, `# a comment\n${pair}\n`);
  assert.match(nslabOk(['up', file]), /nothing to change/);
  writeFileSync(file, pair.replace('10.200.1.2', '10.200.1.3'));
  assert.deepEqual(differences(before, dumpPlaces(places)), []);
  assert.match(nslabOk(['up', file]), /^lab tcli-pair is changed: 2 nodes, 1 link, \d+ steps in/);
  assert.match(ip('-n', 'tcli-b', '-br', 'addr', 'show', 'dev', 'eth0'), / 10\.200\.1\.3\/24/);
  rmSync(file);
  assert.equal(lab.down().status, 0, 'down needs no file');
  const again = lab.down();
  assert.equal(again.status, 0);
  assert.equal(again.stdout, 'lab tcli-pair is not up\n');
});

rootTest('two labs at once, of the same file, do not touch each other', async () => {
  const file = fileOf(attached);
  // The end on the machine has one name only, so the copy has another.
  const copy = fileOf(attached.replace('tclihost0', 'tclihost1').replaceAll('10.200.2.', '10.200.4.'));
  await using first = await upLab(file);
  const before = dumpPlaces(['tcli-c']);
  {
    await using second = await upLab(copy, { prefix: 'y-' });
    assert.deepEqual(differences(before, dumpPlaces(['tcli-c'])), []);
    assert.equal(second.exec('tcli-c', 'ping', '-c1', '-W5', '10.200.4.1').status, 0);
    const ambiguous = nslab(['exec', 'tcli-c', 'true']);
    assertFails(ambiguous, 7, /^error\[LAB_AMBIGUOUS\][\s\S]*tcli-attached[\s\S]*y-tcli-attached/);
  }
  assert.deepEqual(differences(before, dumpPlaces(['tcli-c'])), []);
  assert.equal(first.exec('tcli-c', 'ping', '-c1', '-W5', '10.200.2.1').status, 0);
});

rootTest('down needs a name when two labs are up, and --all takes both', () => {
  const words = [fileOf(pair), fileOf(pair.replaceAll('tcli-', 'tcli2-').replaceAll('10.200.1', '10.200.5'))];
  const script = `
    nslab down || exit 1
    nslab up ${words[0]} && nslab down && nslab up ${words[0]} && nslab up ${words[1]} || exit 1
    nslab down; echo "status $?"
    nslab inspect; echo "status $?"
    nslab down --all || exit 1
    nslab ls
    ls /run/nslab /run/netns`;
  const { status, stdout, stderr } = withPrivateRun(script);
  assert.match(stdout, /^no lab is up\n/);
  assert.match(stdout, /lab tcli-pair is down[\s\S]*status 7\nstatus 7\n/);
  assert.match(
    stderr,
    /error\[LAB_AMBIGUOUS\] 2 labs are up: tcli-pair, tcli2-pair\n {2}hint: nslab down tcli-pair, or nslab down --all/,
  );
  assert.match(stdout, /lab tcli-pair is down in \d+ ms\nlab tcli2-pair is down in \d+ ms\nno lab is up\n/);
  assert.doesNotMatch(stdout, /tcli-[ab]$/m);
  assert.equal(status === 0 || /No such file/.test(stderr), true, stderr);
});

rootTest(
  'down --wait returns when the kernel has destroyed the namespaces and what was in them',
  async () => {
    const file = fileOf(pair);
    ip('netns', 'add', 'tcli-outside');
    try {
      for (let round = 0; round < 3; round++) {
        await using lab = await upLab(file);
        // A wire from outside goes with its end in the lab, but only when that is destroyed.
        ip(
          '-n',
          'tcli-outside',
          'link',
          'add',
          'w0',
          'type',
          'veth',
          'peer',
          'name',
          'w1',
          'netns',
          'tcli-a',
        );
        assert.match(nslabOk(['down', '--wait', lab.name]), /^lab tcli-pair is down in \d+ ms\n$/);
        const left = JSON.parse(ip('-j', '-n', 'tcli-outside', 'link')) as { ifname: string }[];
        assert.deepEqual(
          left.map(({ ifname }) => ifname),
          ['lo'],
        );
      }
    } finally {
      ip('netns', 'del', 'tcli-outside');
    }
  },
);

rootTest('a name that somebody has already is refused before anything is touched', async (t) => {
  const takers: readonly (readonly [string, string, string[], string[], RegExp])[] = [
    [
      'a namespace',
      pair,
      ['netns', 'add', 'tcli-b'],
      ['netns', 'del', 'tcli-b'],
      /network namespace tcli-b already/,
    ],
    [
      'an interface of the machine',
      attached,
      ['link', 'add', 'tclihost0', 'type', 'bridge'],
      ['link', 'del', 'tclihost0'],
      /device tclihost0 already/,
    ],
  ];
  for (const [what, text, take, release, message] of takers) {
    await t.test(what, async () => {
      ip(...take);
      try {
        const before = await fingerprint();
        assertFails(nslab(['up', '-'], { input: text }), 4, /^error\[HOST_NAME_TAKEN\]/);
        assertFails(nslab(['up', '-'], { input: text }), 4, message);
        await assertUnchanged(before);
      } finally {
        ip(...release);
      }
    });
  }
  await t.test('an nft table', async () => {
    execFileSync('nft', ['add', 'table', 'inet', 'nslab-tcli-nat']);
    try {
      const before = await fingerprint();
      assertFails(nslab(['up', '-'], { input: translated }), 4, /nft table inet nslab-tcli-nat already/);
      await assertUnchanged(before);
    } finally {
      execFileSync('nft', ['delete', 'table', 'inet', 'nslab-tcli-nat']);
    }
  });
});

rootTest('a subnet that the machine routes already is refused, with both named', async () => {
  ip('link', 'add', 'tclibr9', 'type', 'bridge');
  // A link-local address would go through duplicate address detection while the machine is looked at.
  ip('link', 'set', 'tclibr9', 'addrgenmode', 'none');
  ip('link', 'set', 'tclibr9', 'up');
  ip('addr', 'add', '10.200.2.9/16', 'dev', 'tclibr9');
  try {
    const before = await fingerprint();
    const result = nslab(['up', '-'], { input: attached });
    assertFails(result, 4, /^error\[HOST_SUBNET_TAKEN\] .*10\.200\.2\.0\/24/);
    assert.match(result.stderr, /10\.200\.0\.0\/16/);
    assert.match(result.stderr, /tclibr9/);
    await assertUnchanged(before);
  } finally {
    ip('link', 'del', 'tclibr9');
  }
});

rootTest('a wire plugged into a bridge of the machine leaves the bridge as it was', async () => {
  ip('link', 'add', 'tclibr0', 'type', 'bridge');
  ip('link', 'add', 'tcliport0', 'type', 'veth', 'peer', 'name', 'tcliport1');
  ip('link', 'set', 'tcliport0', 'master', 'tclibr0');
  try {
    const before = await fingerprint();
    const text = attached
      .replace('interface: tclihost0,', 'interface: tclihost0, master: tclibr0,')
      .replace('addresses: [10.200.2.1/24] }', '}')
      .replace('tclihost0, master: tclibr0, }', 'tclihost0, master: tclibr0 }');
    {
      await using lab = await upLab('-', { input: text });
      const ports = JSON.parse(ip('-j', 'link', 'show', 'master', 'tclibr0')).map(
        (link: { ifname: string }) => link.ifname,
      );
      assert.deepEqual(ports.sort(), ['tclihost0', 'tcliport0']);
      assert.equal(lab.down().status, 0);
    }
    await assertUnchanged(before);
  } finally {
    ip('link', 'del', 'tclibr0');
    ip('link', 'del', 'tcliport0');
  }
});

rootTest(
  'a bridge that is neither in the file nor on the machine is missed before anything is touched',
  () => {
    const text = attached.replace('interface: tclihost0,', 'interface: tclihost0, master: tclibr7,');
    assertFails(nslab(['up', '-'], { input: text }), 4, /^error\[HOST_DEVICE_MISSING\] .*tclibr7/);
  },
);

rootTest('a namespace removed by hand: ls says degraded, exec says why, down copes', async () => {
  await using lab = await upLab('-', { input: pair });
  ip('netns', 'del', 'tcli-a');
  const row = JSON.parse(nslabOk(['ls', '--json'])).find((one: { lab: string }) => one.lab === lab.name);
  assert.equal(row.state, 'degraded');
  const result = lab.exec('tcli-a', 'true');
  assert.notEqual(result.status, 0);
  assert.match(result.stderr, /^error\[[A-Z_]+\] .*tcli-a/);
  assert.match(nslabOk(['inspect', lab.name]), /tcli-a\s+netns\s+-\s+-\s+missing/);
  assert.equal(lab.down().status, 0);
});

rootTest('interfaces deleted by hand, inside and on the machine, do not stop down', async () => {
  await using lab = await upLab('-', { input: translated });
  ip('link', 'del', 'tclihost0');
  execFileSync('nft', ['delete', 'table', 'inet', 'nslab-tcli-nat']);
  rmSync('/etc/netns/tcli-c', { recursive: true });
  assert.equal(lab.down().status, 0);
});

rootTest('a device that took the place of a deleted one is not ours, and stays', async () => {
  await using lab = await upLab('-', { input: attached });
  ip('link', 'del', 'tclihost0');
  ip('link', 'add', 'tclihost0', 'type', 'bridge');
  try {
    assert.equal(lab.down().status, 0);
    assert.match(ip('link', 'show', 'tclihost0'), /tclihost0/);
  } finally {
    ip('link', 'del', 'tclihost0');
  }
});

rootTest('a process left running in a node is ended by down, and named', async () => {
  await using lab = await upLab('-', { input: pair });
  const [file, ...words] = nslabCommand(['exec', '--lab', lab.name, 'tcli-a', 'sleep', '1000']);
  const child = spawn(file, words, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  await until(
    () => ip('netns', 'pids', 'tcli-a').includes(String(child.pid)),
    'sleep to be in the namespace',
  );
  const { status, stderr } = lab.down();
  assert.equal(status, 0);
  assert.match(stderr, new RegExp(`\\b${child.pid}\\b.*sleep|sleep.*\\b${child.pid}\\b`));
  const [, signal] = await ended;
  assert.match(String(signal), /SIG(TERM|KILL)/);
});

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + patience(20_000);
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await wait(10);
  }
}

test('what does not fit into a pipe is not lost', () => {
  // Nobody reads until it has written what fits.
  const script = '"$@" | { sleep 1; wc -c; }';
  const { stdout } = run(['sh', '-c', script, 'sh', ...nslabCommand(['schema'])]);
  assert.ok(Number(stdout) > 1 << 16);
  assert.equal(Number(stdout), Buffer.byteLength(nslabOk(['schema'])));
});

rootTest('up and down --json print one event a line', async () => {
  const up = nslabOk(['up', '-', '--json'], { input: pair });
  const events = up
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(events[0].type, 'started');
  assert.equal(events.at(-1).type, 'up');
  assert.deepEqual(
    { ...events.at(-1), ms: 0 },
    {
      type: 'up',
      lab: 'tcli-pair',
      outcome: 'made',
      nodes: 2,
      links: 1,
      ops: events[0].total,
      healthy: 0,
      ms: 0,
    },
  );
  const ops = events
    .filter((event) => event.type === 'done')
    .reduce((sum, event) => sum + event.ops.length, 0);
  assert.equal(ops, events[0].total);
  const down = nslabOk(['down', 'tcli-pair', '--json']);
  const undone = down
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(undone.at(-1).type, 'down');
  assert.ok(undone.some((event) => event.type === 'undone' && event.op.kind === 'deleteNetns'));
});

rootTest('ls and inspect show what the kernel has, as a table and as JSON', async () => {
  const file = fileOf(pair);
  await using lab = await upLab(file);
  const row = JSON.parse(nslabOk(['ls', '--json'])).find((one: { lab: string }) => one.lab === lab.name);
  assert.match(row.since, /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(
    { ...row, since: '' },
    { lab: 'tcli-pair', state: 'up', nodes: 2, links: 1, since: '', file },
  );
  assert.match(
    nslabOk(['ls']),
    /^LAB\s+STATE\s+NODES\s+LINKS\s+SINCE \(UTC\)\s+FILE\n[\s\S]*tcli-pair\s+up\s+2\s+1/,
  );
  const view = JSON.parse(nslabOk(['inspect', lab.name, '--json']));
  assert.deepEqual(
    view.nodes.map((node: { node: string; netns: string; state: string }) => [
      node.node,
      node.netns,
      node.state,
    ]),
    [
      ['tcli-a', 'tcli-a', 'up'],
      ['tcli-b', 'tcli-b', 'up'],
    ],
  );
  const eth0 = view.nodes[0].devices.find((device: { ifname: string }) => device.ifname === 'eth0');
  const [link] = JSON.parse(ip('-j', '-n', 'tcli-a', 'link', 'show', 'eth0'));
  assert.deepEqual(
    [eth0.mac, eth0.mtu, eth0.type, eth0.addresses],
    [link.address, link.mtu, 'veth', ['10.200.1.1/24']],
  );
  assert.match(
    nslabOk(['inspect', lab.name]),
    /tcli-a\s+netns\s+eth0\s+veth\s+up\s+[0-9a-f:]{17}\s+1500\s+10\.200\.1\.1\/24/,
  );
});

rootTest('a step that the kernel refuses is named, and all is undone', () => {
  const text = pair.replace('tcli-a: {}', 'tcli-a: { sysctls: { net.ipv4.no_such_setting: 1 } }');
  assertFails(
    nslab(['up', '-'], { input: text }),
    5,
    /^(undoing what was made\n)?error\[APPLY_FAILED\] .*no_such_setting/m,
  );
});

rootTest('a command of the file that fails takes the lab down again', () => {
  const text = pair.replace('tcli-a: {}', 'tcli-a: { exec: ["echo so it goes >&2; exit 3"] }');
  const result = nslab(['up', '-'], { input: text });
  assertFails(result, 5, /error\[COMMAND_FAILED\] .*status 3/);
  assert.match(result.stderr, /so it goes/);
});

rootTest('a command of the file sees the environment of the caller, not what Node was started with', () => {
  const file = join(folder, 'environment');
  const text = pair.replace('tcli-a: {}', `tcli-a: { exec: ["env > ${file}"] }`);
  const see = (extra: Readonly<Record<string, string>>): string[] => {
    const { NODE_EXTRA_CA_CERTS: _1, GLIBC_TUNABLES: _2, ...env } = process.env;
    nslabOk(['up', '-'], { input: text, env: { ...env, ...extra } });
    nslabOk(['down']);
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.filter((line) => /^(NODE_EXTRA_CA|GLIBC_TUN|NSLAB_KEPT)/.test(line)).sort();
  };
  assert.deepEqual(see({}), []);
  assert.deepEqual(see({ NODE_EXTRA_CA_CERTS: '/etc/ca', GLIBC_TUNABLES: 'glibc.malloc.check=0' }), [
    'GLIBC_TUNABLES=glibc.malloc.check=0',
    'NODE_EXTRA_CA_CERTS=/etc/ca',
  ]);
});

rootTest(
  'a second up or down of a lab that is being brought up is refused with the pid of the first',
  async () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const text = pair.replace('tcli-b: {}', `tcli-b: { exec: ["echo ready; read line < ${fifo}"] }`);
    const first = startNslab(['up', fileOf(text)]);
    const ended = once(first, 'exit');
    let shown = '';
    for (const stream of [first.stdout, first.stderr]) stream?.on('data', (chunk) => (shown += chunk));
    try {
      await until(
        () => shown.includes('ready') || first.exitCode !== null,
        'the first up to get to its command',
      );
      const message = new RegExp(
        `^error\\[LAB_LOCKED\\] lab tcli-pair is being changed by process ${first.pid}\\b`,
      );
      assertFails(nslab(['up', '-'], { input: pair }), 7, message);
      assertFails(nslab(['down', 'tcli-pair']), 7, message);
      const row = JSON.parse(nslabOk(['ls', '--json'])).find(
        (one: { lab: string }) => one.lab === 'tcli-pair',
      );
      assert.equal(row.state, 'changing');
    } finally {
      writeFileSync(fifo, 'go\n');
      await ended;
      nslabOk(['down', 'tcli-pair']);
    }
    assert.equal(first.exitCode, 0, shown);
  },
);

function star(nodes: number): string {
  const lines = ['name: tcli-star', 'nodes:', '  tcli-sw: { kind: bridge }'];
  for (let i = 0; i < nodes; i++) {
    const address = `10.201.${i >> 8}.${i & 255}/16`;
    lines.push(`  tcli-n${i}: { interfaces: { eth0: { addresses: [${address}] } } }`);
  }
  lines.push('links:');
  for (let i = 0; i < nodes; i++) lines.push(`  - endpoints: ["tcli-n${i}:eth0", tcli-sw]`);
  return `${lines.join('\n').replace('10.201.0.0/16', '10.201.9.9/16')}\n`;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  rootTest(`${signal} in the middle of up undoes everything and ends with status 130`, async () => {
    const child = startNslab(['up', fileOf(star(rounds(400, 150))), '--json']);
    const ended = once(child, 'exit');
    let stdout = '';
    let stderr = '';
    child.stderr?.on('data', (chunk) => (stderr += chunk));
    child.stdout?.on('data', (chunk) => {
      // The first step is done, hundreds are not.
      if (stdout === '') child.kill(signal);
      stdout += chunk;
    });
    const [status] = await ended;
    assert.equal(status, 130, `${stdout.slice(-2000)}${stderr}`);
    assert.match(stderr, /error\[INTERRUPTED\] .*all of them were undone/);
    assert.doesNotMatch(stderr, /^\s+at /m);
  });
}

rootTest('when /run is full or read-only, up changes nothing and says so', () => {
  const file = fileOf(star(50));
  const full = withPrivateRun(
    `dd if=/dev/zero of=/run/filler bs=1k 2>/dev/null; nslab up ${file}; status=$?; rm /run/filler; ls -A /run /run/netns; exit $status`,
    '-o size=64k',
  );
  assertFails(full, 4, /^error\[STATE_WRITE\]/);
  assert.equal(full.stdout.trim(), '/run:\nnetns\n\n/run/netns:'.trim());
  const readOnly = withPrivateRun(
    `mount -o remount,ro /run; nslab up ${file}; status=$?; ls -A /run/netns; exit $status`,
  );
  assertFails(readOnly, 4, /^error\[STATE_WRITE\]/);
  assert.doesNotMatch(readOnly.stdout, /tcli/);
});

rootTest('when /run fills up in the middle, what was made is undone', () => {
  // Room for the record, and not for the files of /etc of all nodes.
  const file = fileOf(star(200));
  let last: Run | undefined;
  for (const size of ['96k', '160k', '48k', '256k'].slice(0, rounds(4, 2))) {
    last = withPrivateRun(
      `nslab up ${file}; status=$?; nslab down --all >&2; ls /run/netns; exit $status`,
      `-o size=${size}`,
    );
    assert.ok([0, 4, 5].includes(last.status), `${size}: ${last.status} ${last.stderr}`);
    assert.doesNotMatch(last.stderr, /^\s+at /m);
    assert.equal(last.stdout.split('\n').filter((line) => line.startsWith('tcli')).length, 0);
  }
});

// A snapshot makes again what it was taken of: every shipped topology, and namespaces that a script of ip(8), nft(8) and
// iptables(8) made. Compared with iproute2 and nft, as explain.test.ts does.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { loadText } from '../../src/topology/load.ts';
import { type Dump, dumpPlaces, type Where } from '../support/dump.ts';
import { patience, rounds } from '../support/emulated.ts';
import { differences } from '../support/fingerprint.ts';
import { nslab, type Run, upLab } from '../support/nslab.ts';
import { randomLabYaml } from '../support/random-lab.ts';
import { shippedTopologies, skipUnlessKernelCan } from '../support/shipped.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const LABS = rounds(6, 1);

function assertSame(first: Dump, again: Dump, what: string): void {
  assert.deepEqual(differences(first, again), [], what);
}

/** Carrier and with it routes of IPv6 come a moment after `up`: what two looks in a row show. */
async function settledDump(places: readonly Where[]): Promise<Dump> {
  const deadline = Date.now() + patience(10_000);
  for (let before = dumpPlaces(places); ; ) {
    await setTimeout(300);
    const now = dumpPlaces(places);
    if (differences(before, now).length === 0 || Date.now() > deadline) return now;
    before = now;
  }
}

function snapshot(...words: readonly string[]): Run {
  const run = nslab(['snapshot', ...words]);
  assert.equal(run.status, 0, run.stderr);
  return run;
}

for (const { name, file, load, stage } of shippedTopologies()) {
  test(`${name}: what a snapshot of it makes is the same`, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    const { lab: model, vars } = load();
    if (skipUnlessKernelCan(t, model)) return;
    await using _stage = stage('used');
    const places: Where[] = [...model.nodes.flatMap(({ place }) => place ?? []), null];
    let first: Dump;
    let text: string;
    {
      await using _lab = await upLab(file, { vars });
      first = await settledDump(places);
      const taken = snapshot(model.name);
      text = taken.stdout;
      const untold = taken.stderr
        .split('\n')
        .filter((line) => line !== '' && !line.includes('exec of the lab'));
      assert.deepEqual(untold, [], text);
      assert.equal(snapshot(model.name).stdout, text, 'twice the same');
    }
    await using _again = await upLab('-', { input: text });
    assertSame(first, await settledDump(places), text);
    assert.equal(
      snapshot(model.name).stdout.replaceAll(/^ *# .*\n/gm, ''),
      text.replaceAll(/^ *# .*\n/gm, ''),
    );
  });
}

test('what a snapshot of a random lab makes is the same', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const seed = Number(process.env['NSLAB_TEST_SEED'] ?? Date.now() % 1e9);
  for (const yaml of fc.sample(randomLabYaml('tsnap-'), { numRuns: LABS, seed })) {
    const { lab: model } = loadText(yaml, { path: 'random.yaml', env: {} });
    const places: Where[] = [...model.nodes.flatMap(({ place }) => place ?? []), null];
    let first: Dump;
    let text: string;
    {
      await using _lab = await upLab('-', { input: yaml });
      first = await settledDump(places);
      text = snapshot(model.name).stdout;
    }
    await using _again = await upLab('-', { input: text });
    assertSame(first, await settledDump(places), `seed ${seed}\n${yaml}\n${text}`);
  }
});

/**
 * What ip(8) makes otherwise than nslab and no file says: queues, marks, duplicate address detection, and the link-local address of a
 * bridge, which stays that of the MAC address it had before its ports.
 */
const unsaid =
  / "(?:group|num_tx_queues|num_rx_queues)":[^,}]*,?|"(?:group|num_tx_queues|num_rx_queues)":[^,}]*,?/g;

function asked(dump: Dump): Dump {
  const sections = [...dump].filter(([section]) => !/ (etc|nft)$/.test(section));
  return new Map(
    sections.map(([section, lines]) => [
      section,
      lines
        .filter((line) => !/\/accept_dad:/.test(line))
        .map((line) => line.replaceAll(unsaid, '').replace(/"fe80::[0-9a-f:]+"/, '"(random)"')),
    ]),
  );
}

function sh(script: string): void {
  execFileSync('sh', ['-ec', script], { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** docker0 as a textbook makes it by hand, and beside it a switch with a router whose firewall is for IPv4. */
const byHand = `
  ip link add docker0 type bridge
  ip addr add 172.29.0.1/16 dev docker0
  ip link set docker0 up
  for i in 1 2; do
    ip netns add c$i
    ip link add vethc$i type veth peer name eth0 netns c$i
    ip link set vethc$i master docker0 up
    ip -n c$i link set lo up
    ip -n c$i addr add 172.29.0.1$i/16 dev eth0
    ip -n c$i link set eth0 address 02:42:ac:1d:00:0$i up
    ip -n c$i route add default via 172.29.0.1
  done
  ip netns add internet
  ip link add wan type veth peer name eth0 netns internet
  ip addr add 203.0.113.1/30 dev wan
  ip link set wan up
  ip -n internet link set lo up
  ip -n internet addr add 203.0.113.2/30 dev eth0
  ip -n internet link set eth0 up
  nft 'add table ip dockernat
       add chain ip dockernat post { type nat hook postrouting priority srcnat; }
       add rule ip dockernat post ip saddr 172.29.0.0/16 oifname != "docker0" counter masquerade
       add rule ip dockernat post ip saddr 10.99.0.0/16 masquerade'
  ip netns add pc; ip netns add sw; ip netns add r1
  ip -n sw link add br0 type bridge
  ip -n sw link set br0 mtu 1400 up
  ip link add eth0 mtu 1400 netns pc type veth peer name p1 mtu 1400 netns sw
  ip link add lan mtu 1400 netns r1 type veth peer name p2 mtu 1400 netns sw
  ip -n sw link set p1 master br0 up
  ip -n sw link set p2 master br0 up
  ip -n pc addr add 10.1.1.1/24 dev eth0
  ip -n pc -6 addr add 2001:db8::1/64 dev eth0 nodad
  ip -n pc link set eth0 up
  ip -n pc route add default via 10.1.1.254
  ip -n pc route add unreachable 10.8.0.0/16 metric 7
  ip -n pc rule add from 10.1.1.9 lookup 100 priority 50
  ip -n pc neigh add 10.1.1.7 lladdr 02:00:00:00:00:07 dev eth0
  ip -n r1 link set lo up
  ip -n r1 addr add 10.1.1.254/24 dev lan
  ip -n r1 link set lan up
  ip netns exec r1 sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.lan.rp_filter=1
  ip netns exec r1 nft 'add table ip f
       add chain ip f passing { type filter hook forward priority filter; policy drop; }
       add rule ip f passing ct state established,related counter accept
       add rule ip f passing iifname "lan" tcp dport { 80, 443 } accept
       add rule ip f passing limit rate 3/second accept
       add rule ip f passing ip saddr 10.1.1.0/24 reject'
`;
const away = `
  for dev in vethc1 vethc2 wan docker0; do ip link del $dev; done
  for ns in c1 c2 internet pc sw r1; do ip netns del $ns; done
  nft delete table ip dockernat
`;

const written = `# A snapshot of c1, c2, internet, pc, r1, sw.
name: snapshot
ipv6: true
nodes:
  c1: { routes: [default via 172.29.0.1] }
  c2: { routes: [default via 172.29.0.1] }
  internet: {}
  pc:
    interfaces:
      lo: { up: false }
      eth0: { addresses: [10.1.1.1/24, "2001:db8::1/64"] }
    routes: [default via 10.1.1.254, unreachable 10.8.0.0/16 metric 7]
    rules:
      - from 10.1.1.9 table 100 priority 50
    neighbours: ["10.1.1.7 lladdr 02:00:00:00:00:07 dev eth0"]
  # not told: table ip f, chain passing: limit rate 3/second accept
  r1:
    interfaces: { lan: { addresses: [10.1.1.254/24] } }
    firewall:
      forward:
        rules:
          - { source: 0.0.0.0/0, ct: [established, related], counter: true, action: accept }
          - { in: lan, source: 0.0.0.0/0, proto: tcp, port: [80, 443], action: accept }
          - { source: 10.1.1.0/24, action: reject }
          - { source: 0.0.0.0/0, action: drop }
    sysctls: { net.ipv4.ip_forward: 1, net.ipv4.conf.lan.rp_filter: 1 }
  sw:
    kind: bridge
    interfaces:
      lo: { up: false }
      br0: { ipv6: true }
  # told for wan: ip saddr 172.29.0.0/16 oifname != "docker0" counter masquerade
  host:
    ipv6: true
    interfaces: { docker0: { type: bridge, addresses: [172.29.0.1/16] } }
    nat:
      - { masquerade: { out: wan, source: 172.29.0.0/16 } }
links:
  - endpoints:
      - { node: host, interface: vethc1, ipv6: true, master: docker0 }
      - { node: c1, interface: eth0, mac: 02:42:ac:1d:00:01, addresses: [172.29.0.11/16] }
  - endpoints:
      - { node: host, interface: vethc2, ipv6: true, master: docker0 }
      - { node: c2, interface: eth0, mac: 02:42:ac:1d:00:02, addresses: [172.29.0.12/16] }
  - endpoints:
      - { node: host, interface: wan, addresses: [203.0.113.1/30] }
      - { node: internet, interface: eth0, addresses: [203.0.113.2/30] }
  - endpoints: ["pc:eth0", { node: sw, ipv6: true }]
    mtu: 1400
  - endpoints: ["r1:lan", { node: sw, ipv6: true }]
    mtu: 1400
`;

test('namespaces that were made by hand are made again as they were', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const forwarding = readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8');
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  const places = ['c1', 'c2', 'internet', 'pc', 'sw', 'r1', null];
  const pings = () => {
    for (const [from, to] of [
      ['c1', '172.29.0.12'],
      ['c2', '203.0.113.2'],
      ['pc', '10.1.1.254'],
    ] as const) {
      execFileSync('ip', ['netns', 'exec', from, 'ping', '-c', '1', '-W', '5', to], { stdio: 'ignore' });
    }
  };
  try {
    sh(byHand);
    pings();
    const first = await settledDump(places);
    const { stdout: text, stderr } = snapshot();
    sh(away);
    assert.equal(text, written, stderr);
    await using _lab = await upLab('-', { input: text });
    assert.deepEqual(differences(asked(first), asked(await settledDump(places))), [], text);
    pings();
  } finally {
    writeFileSync('/proc/sys/net/ipv4/ip_forward', forwarding);
  }
});

/** A process in a namespace without a name, as a container of somebody else is. */
async function stranger(name: string): Promise<{ readonly pid: number } & AsyncDisposable> {
  const script = `hostname ${name} && ip link set lo up && echo ready && exec sleep 100`;
  const child = spawn('unshare', ['--net', '--uts', 'sh', '-ec', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  assert.ok(child.pid !== undefined);
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

test('a container of somebody else is found by its process, and a wire that leads out is told', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using container = await stranger('t-web');
  sh(`
    ip netns add t-left
    ip link add t-host type veth peer name eth0 netns t-left
    ip link add eth1 netns t-left type veth peer name eth0 netns ${container.pid}
    ip -n t-left link set lo up
    ip -n t-left link set eth0 up
    ip -n t-left link set eth1 up
    ip link set t-host up
    nsenter -t ${container.pid} -n ip link set eth0 up
    nsenter -t ${container.pid} -n ip addr add 10.3.0.2/24 dev eth0
  `);
  try {
    const pid = String(container.pid);
    const named = snapshot('--pid', `${pid}=web`);
    assert.match(
      named.stdout,
      /^ {2}# eth0 is left out: its wire leads to eth1 of t-left, which is not among them$/m,
    );
    assert.match(named.stdout, /^ {2}web: \{\}$/m);
    assert.match(named.stderr, /^note: web: eth0 is left out: its wire leads to eth1 of t-left/m);
    const both = snapshot('t-left', 't-web');
    assert.equal(
      snapshot('t-left', `/proc/${pid}/ns/net=t-web`).stdout.includes(
        '- endpoints: ["t-left:eth1", "t-web:eth0"]',
      ),
      true,
    );
    assert.match(both.stdout, /# a namespace without a name, found by its process sleep/);
    assert.match(both.stdout, /- endpoints: \["t-left:eth1", "t-web:eth0"\]/);
    assert.match(both.stdout, /- endpoints: \["host:t-host", "t-left:eth0"\]/);
    // Named by nobody it is there as well, because it has a wire.
    assert.match(snapshot().stdout, /^ {2}t-web: /m);
    const { file, notes } = JSON.parse(snapshot('t-left', '--json').stdout);
    assert.deepEqual(Object.keys(file.nodes), ['t-left', 'host']);
    assert.deepEqual(Object.keys(notes), ['t-left']);
  } finally {
    sh('ip netns del t-left');
  }
});

test('a file is written, and what is not there is said', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const nothing = nslab(['snapshot', 't-nothing']);
  assert.equal(nothing.status, 7, nothing.stderr);
  assert.match(nothing.stderr, /there is no namespace, lab or node t-nothing/);
  assert.equal(nslab(['snapshot', '--pid', 'web']).status, 2);
  assert.equal(nslab(['snapshot', 'host']).status, 2);
  assert.equal(nslab(['snapshot', '/proc/self/status']).status, 7);
  const folder = mkdtempSync(join(tmpdir(), 'nslab-snapshot-'));
  try {
    sh('ip netns add t-alone');
    const path = join(folder, 'lab.yaml');
    const { stdout, stderr } = snapshot('t-alone', '--name', 'mine', '-o', path);
    assert.equal(stdout, '');
    assert.equal(stderr, `${path}: 1 node, 0 links\n`);
    const text =
      '# A snapshot of t-alone.\nname: mine\nnodes:\n  t-alone: { interfaces: { lo: { up: false } } }\n';
    assert.equal(readFileSync(path, 'utf8'), text);
    assert.equal(nslab(['validate', path]).status, 0);
  } finally {
    sh('ip netns del t-alone');
    rmSync(folder, { recursive: true });
  }
});

// `nslab diff` and `nslab apply` as a user has them: what is told of labs that are up and of namespaces made by hand, and what a
// change leaves alone.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { patience } from '../support/emulated.ts';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { nslab, nslabCommand, nslabOk, upLab } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const DIFFERENT = 3;
const UNDONE = 5;

function sh(script: string): string {
  return execFileSync('sh', ['-ec', script], { encoding: 'utf8' });
}

/** A folder with topology files. */
class Files implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'nslab-apply-'));

  write(name: string, text: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, text);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

const homework = `
name: thw
nodes:
  thw-pc1: { routes: [default via 10.7.1.1] }
  thw-r:
    kind: router
    nat: [{ masquerade: { out: right } }]
    firewall: { forward: { policy: drop, rules: [{ in: left, action: accept }, { ct: established, action: accept }] } }
  thw-pc2: {}
links:
  - endpoints:
      - { node: thw-pc1, interface: eth0, addresses: [10.7.1.2/24], mac: "02:00:00:00:07:02" }
      - { node: thw-r, interface: left, addresses: [10.7.1.1/24] }
  - endpoints:
      - { node: thw-r, interface: right, addresses: [10.7.2.1/24] }
      - { node: thw-pc2, interface: eth0, addresses: [10.7.2.2/24] }
`;

/** By hand and without nslab, with other names for what has no name in the file. */
const byHand = `
for ns in thw-pc1 thw-r thw-pc2; do ip netns add $ns; ip -n $ns link set lo up; done
ip -n thw-pc1 link add name eth0 address 02:00:00:00:07:02 type veth peer name left netns thw-r
ip -n thw-r link add name right type veth peer name eth0 netns thw-pc2
ip -n thw-pc1 addr add 10.7.1.2/24 dev eth0
ip -n thw-r addr add 10.7.1.1/24 dev left
ip -n thw-r addr add 10.7.2.1/24 dev right
ip -n thw-pc2 addr add 10.7.2.2/24 dev eth0
ip -n thw-pc1 link set eth0 up
ip -n thw-r link set left up
ip -n thw-r link set right up
ip -n thw-pc2 link set eth0 up
ip -n thw-pc1 route add default via 10.7.1.1
ip netns exec thw-r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip netns exec thw-r nft -f - <<END
table ip mynat {
  chain out { type nat hook postrouting priority srcnat; oifname "right" masquerade; }
}
table inet myfilter {
  chain through {
    type filter hook forward priority filter; policy drop;
    iifname "left" counter accept
    ct state established accept
  }
}
END
`;

function diffLines(file: string): string[] {
  const { status, stdout } = nslab(['diff', file]);
  assert.equal(status, stdout === '' ? 0 : DIFFERENT, stdout);
  return stdout.split('\n').filter((line) => line !== '');
}

test('diff tells of namespaces made by hand what is not as the file says, in the words of the lab', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  using files = new Files();
  const file = files.write('homework.yaml', homework);
  assert.deepEqual(diffLines(file).slice(0, 3), [
    'thw-pc1 is missing',
    'thw-r is missing',
    'thw-pc2 is missing',
  ]);
  try {
    sh(byHand);
    assert.deepEqual(diffLines(file), []);
    sh(`
      ip -n thw-pc1 route del default
      ip -n thw-pc1 route add 10.9.0.0/16 via 10.7.1.7
      ip -n thw-pc1 link set eth0 mtu 1400
      ip -n thw-r link set right down
      ip -n thw-r addr add 10.7.3.1/24 dev left
      ip -n thw-r rule add from 10.7.1.0/24 lookup 100 priority 70
      ip -n thw-pc2 link set eth0 address 02:00:00:00:00:09
      ip -n thw-pc2 link add name tap0 type bridge
      ip -n thw-pc2 neigh add 10.7.2.9 lladdr 02:00:00:00:00:08 dev eth0
      ip netns exec thw-r sysctl -qw net.ipv4.ip_forward=0
      ip netns exec thw-r nft insert rule inet myfilter through drop
      ip netns exec thw-r nft flush chain ip mynat out
    `);
    assert.deepEqual(diffLines(file), [
      'thw-pc1:eth0 has MTU 1400, not 1500',
      'thw-pc1: default route via 10.7.1.1 is missing',
      'thw-pc1: route to 10.9.0.0/16 via 10.7.1.7 is too much',
      'thw-r:left: address 10.7.3.1/24 is too much',
      'thw-r:right is down',
      'thw-r: rule 70: from 10.7.1.0/24 lookup 100 is too much',
      'thw-r: rule 1 of postrouting is missing: oifname "right" masquerade',
      'thw-r: rule 1 of forward is too much',
      'thw-r: net.ipv4.ip_forward is 0, not 1',
      'thw-pc2:tap0 is too much',
      'thw-pc2:eth0: neighbour 10.7.2.9 at 02:00:00:00:00:08 is too much',
    ]);
    sh(`
      ip -n thw-pc2 link del eth0
      ip -n thw-pc1 link add name right type veth peer name eth0 netns thw-pc2
    `);
    const { status, stdout } = nslab(['diff', file, '--json']);
    assert.equal(status, DIFFERENT);
    const { lab, same, differences } = JSON.parse(stdout);
    assert.deepEqual([lab, same], ['thw', false]);
    assert.deepEqual(differences.at(-1), {
      ...{ node: 'thw-pc2', interface: 'eth0', about: 'interface', state: 'different' },
      message: 'thw-pc2:eth0 leads to thw-pc1:right, not to thw-r:right',
    });
  } finally {
    sh('for ns in thw-pc1 thw-r thw-pc2; do ip netns del $ns 2>/dev/null || true; done');
  }
});

const office = (changes: { readonly pc3?: string; readonly far?: string } = {}) => `
name: tap-office
nodes:
  tap-sw: { kind: bridge }
  tap-pc1: {}
  tap-pc2: {}
  ${changes.pc3 ?? 'tap-pc3: {}'}
  tap-r: { kind: router, nat: [{ masquerade: { out: up } }] }
links:
  - endpoints: [{ node: tap-pc1, interface: eth0, addresses: [10.6.0.1/24] }, tap-sw]
  - endpoints: [{ node: tap-pc2, interface: eth0, addresses: [10.6.0.2/24] }, tap-sw]
  - endpoints: [{ node: tap-pc3, interface: eth0, addresses: [10.6.0.3/24] }, tap-sw]
  - endpoints: [{ node: tap-r, interface: lan, addresses: [10.6.0.254/24] }, tap-sw]
  ${changes.far ?? ''}
  - endpoints: [{ node: tap-r, interface: up, addresses: [10.6.9.1/30] }, { node: host, interface: tap-up, addresses: [10.6.9.2/30] }]
`;

/** A TCP connection from one node to another that is open until it is disposed of. */
async function connection(
  lab: string,
  from: string,
  to: { readonly node: string; readonly address: string },
) {
  const exec = (node: string, script: string) => {
    const [file, ...args] = nslabCommand(['exec', '--lab', lab, node, process.execPath, '-e', script]);
    return spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  };
  const server = exec(
    to.node,
    `require('net').createServer((s) => s.pipe(s)).listen(7000, () => console.log('ready'))`,
  );
  await once(server.stdout, 'data');
  const client = exec(
    from,
    `const s = require('net').connect(7000, '${to.address}'); process.stdin.pipe(s).pipe(process.stdout);
     s.on('close', () => process.exit(1)); s.on('error', () => process.exit(1))`,
  );
  const lines = createInterface({ input: client.stdout })[Symbol.asyncIterator]();
  return {
    /** Sends a line and waits for it to come back. */
    async echo(text: string): Promise<void> {
      client.stdin.write(`${text}\n`);
      const timeout = setTimeout(() => client.kill('SIGKILL'), patience(10_000));
      const { value, done } = await lines.next();
      clearTimeout(timeout);
      assert.equal(done === true ? 'the connection broke' : value, text);
    },
    [Symbol.dispose]() {
      client.kill('SIGKILL');
      server.kill('SIGKILL');
    },
  };
}

function ifindex(netns: string, ifname: string): number {
  return JSON.parse(sh(`ip -j -n ${netns} link show dev ${ifname}`))[0].ifindex;
}

test('an open connection survives changes elsewhere, and up of a lab that is up makes only those', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const before = await fingerprint();
  using files = new Files();
  const first = files.write('a.yaml', office());
  const second = files.write(
    'b.yaml',
    office({
      pc3: 'tap-pc3: { routes: [default via 10.6.0.254], sysctls: { net.ipv4.conf.all.log_martians: 1 } }\n  tap-pc4: {}',
      far: '- endpoints: [{ node: tap-pc4, interface: eth0, addresses: [10.6.0.4/24] }, tap-sw]',
    }),
  );
  {
    await using lab = await upLab(first);
    assert.match(nslabOk(['up', first]), /is up already: .*nothing to change/);
    using tcp = await connection(lab.name, 'tap-pc1', { node: 'tap-pc2', address: '10.6.0.2' });
    await tcp.echo('before');
    const was = ifindex('tap-pc3', 'eth0');
    const steps = nslabOk(['apply', second, '--dry-run']);
    assert.match(steps, /ip -n tap-pc3 route add default via 10\.6\.0\.254/);
    assert.match(steps, /ip netns add tap-pc4/);
    assert.doesNotMatch(steps, /tap-pc1|link del|netns del/);
    assert.notDeepEqual(diffLines(second), [], 'a dry run does nothing');
    assert.match(nslabOk(['up', second]), /lab tap-office is changed: 6 nodes, 6 links, \d+ steps/);
    assert.deepEqual(diffLines(second), []);
    assert.equal(ifindex('tap-pc3', 'eth0'), was);
    await tcp.echo('after a node came');
    assert.match(lab.ok('tap-pc1', 'cat', '/etc/hosts'), /10\.6\.0\.4 tap-pc4/);
    lab.ok('tap-pc4', 'ping', '-c1', '-W2', '10.6.0.1');
    // And back: the node goes with its wire, the setting is what it was.
    nslabOk(['apply', first]);
    await tcp.echo('after it went');
    assert.deepEqual(diffLines(first), []);
    assert.doesNotMatch(sh('ip netns list'), /tap-pc4/);
    assert.equal(lab.ok('tap-pc3', 'cat', '/proc/sys/net/ipv4/conf/all/log_martians').trim(), '0');
    // What somebody did by hand is undone, and nothing else.
    sh(`
      ip -n tap-pc3 link set eth0 down
      ip -n tap-pc3 addr add 10.6.5.5/24 dev lo
      ip -n tap-r addr del 10.6.9.1/30 dev up
      ip netns exec tap-r nft flush table inet nslab
      ip link set tap-up mtu 1300
    `);
    assert.deepEqual(diffLines(first), [
      'tap-pc3:lo: address 10.6.5.5/24 is too much',
      'tap-pc3:eth0 is down',
      'tap-r:up: address 10.6.9.1/30 is missing',
      'tap-r: rule 1 of postrouting is missing: oifname "up" masquerade',
      'host:tap-up has MTU 1300, not 1500',
    ]);
    nslabOk(['apply', first]);
    assert.deepEqual(diffLines(first), []);
    assert.equal(ifindex('tap-pc3', 'eth0'), was);
    await tcp.echo('at the end');
  }
  await assertUnchanged(before);
});

test('apply of a lab that is not up brings it up, and a change that fails is taken back', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const before = await fingerprint();
  using files = new Files();
  const good = files.write('a.yaml', office());
  const bad = files.write(
    'b.yaml',
    office({
      pc3: 'tap-pc3: { routes: [default via 10.6.0.254] }\n  tap-pc4: { exec: ["false"] }',
      far: '- endpoints: [{ node: tap-pc4, interface: eth0 }, tap-sw]',
    }),
  );
  assert.match(nslabOk(['apply', good]), /is up: /);
  try {
    const { status, stderr } = nslab(['apply', bad]);
    assert.equal(status, UNDONE, stderr);
    assert.match(stderr, /COMMAND_FAILED/);
    assert.deepEqual(diffLines(good), []);
    assert.match(nslabOk(['ls']), /tap-office +up/);
    assert.doesNotMatch(sh('ip netns list'), /tap-pc4/);
    // A name of somebody else is told before anything is touched.
    sh('ip netns add tap-pc4');
    const refused = nslab(['apply', bad]);
    sh('ip netns del tap-pc4');
    assert.match(refused.stderr, /HOST_NAME_TAKEN/);
    assert.deepEqual(diffLines(good), []);
  } finally {
    nslabOk(['down', 'tap-office']);
  }
  await assertUnchanged(before);
});

const shop = (web: string, more = '') => `
name: tap-shop
nodes:
  tap-web: { rootfs: host, command: [sleep, infinity], ${web} }
  tap-db: { rootfs: host, command: [sleep, infinity] }
  ${more}
links:
  - endpoints: [{ node: tap-web, interface: eth0, addresses: [10.5.0.1/24] }, { node: tap-db, interface: eth0, addresses: [10.5.0.2/24] }]
`;

function pidOf(node: string): number {
  const rows = JSON.parse(nslabOk(['ps', '-a', '--json'])) as { node: string; state: { pid: number } }[];
  return rows.find((row) => row.node === node)?.state.pid ?? 0;
}

test('a container whose options changed is made anew, and the others go on', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const before = await fingerprint();
  using files = new Files();
  const first = files.write('a.yaml', shop('env: { A: 1 }'));
  const second = files.write(
    'b.yaml',
    shop('env: { A: 2 }', 'tap-new: { rootfs: host, command: [sleep, infinity], network_mode: none }'),
  );
  {
    await using lab = await upLab(first);
    assert.deepEqual(diffLines(first), []);
    const [web, db] = [pidOf('tap-web'), pidOf('tap-db')];
    assert.deepEqual(diffLines(second), [
      'tap-web was made with another env',
      'tap-new is missing',
      'tap-new does not run: it was never made',
    ]);
    nslabOk(['apply', second]);
    assert.deepEqual(diffLines(second), []);
    assert.notEqual(pidOf('tap-web'), web);
    assert.equal(pidOf('tap-db'), db);
    assert.equal(lab.ok('tap-web', 'sh', '-c', 'echo $A').trim(), '2');
    assert.match(lab.ok('tap-db', 'cat', '/etc/hosts'), /10\.5\.0\.1 tap-web/);
    lab.ok('tap-web', 'ping', '-c1', '-W2', '10.5.0.2');
    nslabOk(['kill', 'tap-db']);
    nslabOk(['wait', 'tap-db']);
    assert.deepEqual(diffLines(second), ['tap-db has ended with status 137']);
    nslabOk(['apply', second]);
    assert.deepEqual(diffLines(second), []);
    nslabOk(['apply', first]);
    assert.deepEqual(diffLines(first), []);
    assert.doesNotMatch(nslabOk(['ps', '-a']), /tap-new/);
  }
  await assertUnchanged(before);
});

// Containers in user namespaces as a user has them: whose they are on the machine, that the life of a container goes on as without,
// that no two share an id, and that nothing is left.

import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { mappedRoot } from '../support/mapped-root.ts';
import { nslab, nslabOk, root, run, upLab } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const FIRST = 1_700_000;

function stateOf(node: string): Record<string, unknown> {
  const rows = JSON.parse(nslabOk(['ps', '-a', '--json'])) as {
    node: string;
    state: Record<string, unknown>;
  }[];
  return rows.find((row) => row.node === node)?.state ?? assert.fail(`ps has no ${node}`);
}

test('a lab with a container in a user namespace', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  using files = mappedRoot();
  const before = await fingerprint();
  {
    const wire = (node: string, address: string) => ({
      rootfs: files.folder,
      interfaces: { eth0: { addresses: [address] } },
      command: ['sh', '-c', `echo ${node} > /dev/stdout; exec sleep 1000`],
    });
    const nodes = {
      'us-a': {
        ...wire('us-a', '10.67.0.1/24'),
        userns: { uid: [`0:${FIRST}:1000`] },
        cap_add: ['NET_ADMIN'],
        volumes: ['/data'],
        stop_grace_period: '100ms',
      },
      'us-b': wire('us-b', '10.67.0.2/24'),
      'us-c': { rootfs: files.folder, network_mode: 'container:us-b', userns: `${FIRST + 5000}:1000` },
    };
    const links = [{ endpoints: ['us-a:eth0', 'us-b:eth0'] }];
    await using lab = await upLab('-', { input: JSON.stringify({ name: 'us-lab', nodes, links }) });

    await t.test('its processes are others on the machine, inside it is root', () => {
      const pid = Number(stateOf('us-a')['pid']);
      assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`^Uid:\\s+${FIRST}\\s`, 'm'));
      assert.equal(lab.ok('us-a', 'id', '-u'), '0\n');
      assert.equal(
        lab.ok('us-a', 'cat', '/proc/self/uid_map').trim().replaceAll(/ +/g, ' '),
        `0 ${FIRST} 1000`,
      );
      assert.equal(
        lab.ok('us-a', 'readlink', '/proc/self/ns/user'),
        lab.ok('us-a', 'readlink', '/proc/1/ns/user'),
      );
      assert.notEqual(
        lab.ok('us-a', 'readlink', '/proc/self/ns/user'),
        lab.ok('us-b', 'readlink', '/proc/self/ns/user'),
      );
    });
    await t.test('exec -u finds users in its files', () => {
      const exec = nslabOk(['exec', '--lab', lab.name, '-u', 'www-data', 'us-a', 'id', '-G']);
      assert.equal(exec, '33 44\n');
      const { status, stderr } = nslab(['exec', '--lab', lab.name, '-u', '5000', 'us-a', 'id']);
      assert.notEqual(status, 0, stderr);
    });
    await t.test('packets pass in both directions, and its root rules over its own network', () => {
      lab.ok('us-a', 'ping', '-c1', '-W5', '10.67.0.2');
      lab.ok('us-b', 'ping', '-c1', '-W5', '10.67.0.1');
      lab.ok('us-a', 'ip', 'addr', 'add', '10.68.0.1/24', 'dev', 'eth0');
      assert.match(run(['ip', '-n', 'us-a', '-br', 'addr', 'show', 'eth0']).stdout, /10\.68\.0\.1/);
    });
    await t.test('in the network of another container it has the wires and no power over them', () => {
      lab.ok('us-c', 'ping', '-c1', '-W5', '10.67.0.1');
      assert.equal(lab.exec('us-c', 'ip', 'link', 'set', 'eth0', 'down').status, 2);
      assert.match(lab.ok('us-c', 'ls', '/sys/class/net'), /eth0/);
    });
    await t.test('a volume is its own, and what it writes is of its ids on the machine', () => {
      lab.ok('us-a', 'touch', '/data/x', '/root/made');
      const folder = `/var/lib/nslab/containers/${lab.name}/us-a`;
      assert.equal(lstatSync(`${folder}/upper/root/made`).uid, FIRST);
      assert.equal(lstatSync(`${folder}/volumes/0/x`).uid, FIRST);
      assert.match(nslabOk(['changes', 'us-a']), /^A \/root\/made$/m);
    });
    await t.test('it writes to /dev/stdout, stops, starts, pauses', () => {
      assert.equal(nslabOk(['logs', 'us-a']), 'us-a\n');
      nslabOk(['pause', 'us-a']);
      assert.equal(stateOf('us-a')['status'], 'paused');
      nslabOk(['unpause', 'us-a']);
      nslabOk(['restart', 'us-a']);
      assert.equal(stateOf('us-a')['status'], 'running');
      lab.ok('us-a', 'ls', '/root/made');
      lab.ok('us-a', 'ping', '-c1', '-W5', '10.67.0.2');
      nslabOk(['stop', 'us-a']);
      assert.equal(stateOf('us-a')['status'], 'exited');
    });
  }
  await assertUnchanged(before);
});

test('auto takes ids of /etc/subuid that no other container has, and says what to write where there are none', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  using files = mappedRoot();
  const before = await fingerprint();
  const folder = mkdtempSync(join(tmpdir(), 'nslab-subids-'));
  const lab = (name: string, nodes: readonly string[]) => {
    const path = join(folder, `${name}.yaml`);
    const each = nodes.map((node) => [node, { rootfs: files.folder, userns: 'auto' }]);
    writeFileSync(path, JSON.stringify({ name, nodes: Object.fromEntries(each) }));
    return path;
  };
  writeFileSync(join(folder, 'none'), 'me:100000:65536\n');
  writeFileSync(join(folder, 'subids'), `containers:${FIRST}:${3 * 65536}\n`);
  // The files of the machine stay as they are: all of it happens in a mount namespace with others in their place.
  const script = `
    use() { mount --bind ${folder}/$1 /etc/subuid; mount --bind ${folder}/$1 /etc/subgid; }
    nslab=${join(root, 'bin/nslab')}
    touch /etc/subuid /etc/subgid
    use none
    $nslab up ${lab('us-none', ['us-0'])} 2>&1 || echo "status $?"
    use subids
    trap '$nslab down us-one >/dev/null 2>&1; $nslab down us-two >/dev/null 2>&1' EXIT
    $nslab up ${lab('us-one', ['us-1', 'us-2'])} >/dev/null
    $nslab up ${lab('us-one', ['us-1', 'us-2'])} | head -c 13; echo
    $nslab up ${lab('us-two', ['us-3'])} >/dev/null
    for node in us-1 us-2 us-3; do $nslab exec $node cat /proc/self/uid_map; done
    $nslab run --rm --name us-run --rootfs ${files.folder} --userns auto true 2>&1 || echo "status $?"
    $nslab down us-one >/dev/null
    $nslab run --rm --name us-run --rootfs ${files.folder} --userns auto:size=1000 cat /proc/self/uid_map
  `;
  try {
    const { stdout, stderr } = run(['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script]);
    const lines = stdout.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '));
    assert.match(
      lines[0] ?? '',
      /^error\[CONTAINER_USERNS\] us-0: userns: auto: \/etc\/subuid has no line for root/,
    );
    assert.match(lines[1] ?? '', /hint: add the line containers:1048576:1048576/);
    assert.equal(lines[2], 'status 4');
    assert.deepEqual(lines.slice(3, 7), [
      'lab us-one is',
      `0 ${FIRST} 65536`,
      `0 ${FIRST + 65536} 65536`,
      `0 ${FIRST + 2 * 65536} 65536`,
    ]);
    assert.match(lines[7] ?? '', /us-run: userns: auto: \/etc\/subuid has no 65536 ids left/);
    assert.equal(lines[9], 'status 125', stderr);
    assert.equal(lines[10], `0 ${FIRST} 1000`);
  } finally {
    rmSync(folder, { recursive: true });
  }
  await assertUnchanged(before);
});

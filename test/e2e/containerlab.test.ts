// Files of containerlab on the real kernel: the shipped one, and what else such a file says of containers, wires and bridges.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { nslab, nslabOk, root, upLab } from '../support/nslab.ts';
import { hasLinkKind, skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

const IMAGE = 'nslab.test/clab:1';
const folder = mkdtempSync(join(tmpdir(), 'nslab-clab-'));

before(() => {
  if (process.geteuid?.() === 0) nslabOk(['image', 'build-base', IMAGE]);
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
  if (process.geteuid?.() !== 0) return;
  nslabOk(['image', 'rm', IMAGE]);
  nslabOk(['image', 'prune']);
});

function leavesNothing(title: string, body: (t: TestContext) => Promise<void>): void {
  test(title, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    const was = await fingerprint();
    await body(t);
    await assertUnchanged(was);
  });
}

leavesNothing(
  'the shipped file comes up as it is, routes, serves and is in the management network',
  async () => {
    // The tests' own name for the image, so that one of the user's called `base` stays.
    const text = readFileSync(join(root, 'topologies/routed.clab.yml'), 'utf8');
    const file = join(folder, 'routed.clab.yml');
    writeFileSync(file, text.replace('image: base', `image: ${IMAGE}`));
    await using lab = await upLab(file);
    lab.ok('pc1', 'ping', '-c', '1', '-W', '5', '10.0.2.2');
    assert.match(lab.ok('pc2', 'ip', 'route'), /default via .* dev eth0/);
    lab.ok('pc2', 'ping', '-c', '1', '-W', '5', 'pc1');
    assert.equal(lab.ok('pc2', 'sh', '-c', 'echo $ROLE $CLAB_LABEL_SITE $CLAB_INTFS'), 'pc east 1\n');
    assert.match(lab.ok('pc1', 'wget', '-q', '-O', '-', 'http://10.0.2.2/'), /^# A file of containerlab/);
  },
);

leavesNothing(
  'exec, binds, env, volumes and what is privileged work as there; a failing command is told',
  async () => {
    mkdirSync(join(folder, 'clab-there/a/conf'), { recursive: true });
    writeFileSync(join(folder, 'clab-there/a/conf/x'), 'of the node\n');
    const file = join(folder, 'there.clab.yml');
    writeFileSync(
      file,
      `
name: there
mgmt: { network: m, ipv4-subnet: 10.231.7.0/24 }
topology:
  nodes:
    a:
      kind: linux
      image: ${IMAGE}
      mgmt-ipv4: 10.231.7.9
      user: "0"
      binds: [ "__clabNodeDir__/conf:/conf:ro", /var/spool ]
      env: { A: one }
      entrypoint: sh -c
      cmd: "'sleep 1000; exit'"
      exec:
        - sysctl -w net.ipv4.ip_forward=1
        - "false"
        - sh -c 'echo $$A > /after'
    b: { kind: linux, image: ${IMAGE}, network-mode: "container:a" }
    c: { kind: linux, image: ${IMAGE}, network-mode: none, exec: [ "ip addr add 10.9.0.2/24 dev eth1" ] }
  links:
    - endpoints: [ { node: a, interface: eth1, ipv4: 10.9.0.1/24, mac: "02:00:00:00:09:01" }, "c:eth1" ]
      mtu: 1400
`,
    );
    const { status, stderr } = nslab(['up', file]);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /warning: a: false: the command ended with status 1\n/);
    const ok = (...words: string[]) => nslabOk(['exec', '--lab', 'there', ...words]);
    assert.equal(
      ok('a', 'cat', '/conf/x', '/after', '/proc/sys/net/ipv4/ip_forward'),
      'of the node\none\n1\n',
    );
    assert.match(ok('a', 'ip', '-4', 'addr', 'show', 'eth0'), /10\.231\.7\.9\/24/);
    assert.match(ok('a', 'ip', 'link', 'show', 'eth1'), /mtu 1400 [\s\S]*02:00:00:00:09:01/);
    assert.match(ok('b', 'ip', '-4', 'addr', 'show', 'eth1'), /10\.9\.0\.1\/24/);
    ok('c', 'ping', '-c', '1', '-W', '5', '10.9.0.1');
    assert.equal(nslab(['exec', '--lab', 'there', 'c', 'ip', 'link', 'show', 'eth0']).status === 0, false);
    nslabOk(['down', 'there']);
  },
);

leavesNothing('a bridge is one that the machine has, and is left to it', async () => {
  const file = join(folder, 'bridged.clab.yml');
  writeFileSync(
    file,
    `
name: bridged
topology:
  nodes:
    a: { kind: linux, exec: [ "ip addr add 10.9.1.1/24 dev eth1" ] }
    b: { kind: linux, exec: [ "ip addr add 10.9.1.2/24 dev eth1" ] }
    tclabbr: { kind: bridge }
  links:
    - endpoints: [ "a:eth1", "tclabbr:tclab1" ]
    - endpoints: [ "b:eth1", "tclabbr:tclab2" ]
    - { type: host, endpoint: "a:eth2", host-interface: tclab3 }
`,
  );
  const missing = nslab(['up', file]);
  assert.equal(missing.status, 4);
  assert.match(missing.stderr, /error\[HOST_DEVICE_MISSING\].*no device tclabbr to plug tclab1 into/);
  assert.match(missing.stderr, /bridged\.clab\.yml:9:\d+/);
  execFileSync('ip', ['link', 'add', 'tclabbr', 'type', 'bridge']);
  execFileSync('ip', ['link', 'set', 'tclabbr', 'up']);
  try {
    await using lab = await upLab(file);
    lab.ok('a', 'ping', '-c', '1', '-W', '5', '10.9.1.2');
    const ports = JSON.parse(
      execFileSync('ip', ['-j', 'link', 'show', 'master', 'tclabbr'], { encoding: 'utf8' }),
    ) as { ifname: string }[];
    assert.deepEqual(ports.map(({ ifname }) => ifname).sort(), ['tclab1', 'tclab2']);
    execFileSync('ip', ['link', 'show', 'tclab3']);
    assert.equal(lab.down().status, 0);
    execFileSync('ip', ['link', 'show', 'tclabbr']);
  } finally {
    execFileSync('ip', ['link', 'del', 'tclabbr']);
  }
});

leavesNothing('dummy and macvlan links, and a wire to the management bridge', async (t) => {
  for (const kind of ['dummy', 'macvlan']) if (!hasLinkKind(kind)) return skipKernelLacks(t, kind);
  execFileSync('ip', ['link', 'add', 'tclabup', 'type', 'dummy']);
  const file = join(folder, 'kinds.clab.yml');
  writeFileSync(
    file,
    `
name: kinds
topology:
  nodes:
    a: { kind: linux, image: ${IMAGE} }
  links:
    - { type: dummy, endpoint: { node: a, interface: d0 } }
    - endpoints: [ "a:m0", "macvlan:tclabup" ]
    - { type: mgmt-net, endpoint: "a:eth7", host-interface: tclabmgmt }
`,
  );
  try {
    await using lab = await upLab(file);
    for (const name of ['d0', 'm0', 'eth7']) lab.ok('a', 'ip', 'link', 'show', name);
    assert.match(
      execFileSync('ip', ['link', 'show', 'tclabmgmt'], { encoding: 'utf8' }),
      /master br-kinds-clab/,
    );
  } finally {
    execFileSync('ip', ['link', 'del', 'tclabup']);
  }
});

// Nodes as OCI configurations and as programs: test of build.ts and lower.ts with test/golden/container/NAME.json and NAME.txt.
// UPDATE_GOLDEN=1 writes them anew.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { capabilityMask } from '../../../src/base/capabilities.ts';
import { buildSpec } from '../../../src/container/build.ts';
import type { LowerFacts } from '../../../src/container/host.ts';
import { type LoweredSpec, lowerSpec } from '../../../src/container/lower.ts';
import { decodeProgram, disassemble } from '../../../src/container/program.ts';
import type { ProgramOp } from '../../../src/container/program-ops.ts';
import type { RuntimeSpec } from '../../../src/container/runtime-spec.ts';
import { labOf, nodeOf } from '../../support/check-yaml.ts';
import { sampleCapabilities, sampleHost, sampleLowerFacts } from '../../support/container-host.ts';

const folder = join(import.meta.dirname, '../../golden/container');

function specOf(keys: string): RuntimeSpec {
  const node = nodeOf(labOf(`nodes: { web: { ${keys} }, db: { rootfs: host } }`), 'web');
  // Whose network namespace it is, the plan says.
  return buildSpec(keys.includes('network_mode: host') ? { ...node, place: null } : node, sampleHost);
}

function lowered(keys: string, facts: Partial<LowerFacts> = {}): LoweredSpec {
  return lowerSpec(specOf(keys), { ...sampleLowerFacts, ...facts });
}

function opsOf(keys: string): ProgramOp[] {
  return decodeProgram(lowered(keys).program);
}

function assertGolden(name: string, text: string): void {
  const path = join(folder, name);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, text);
  }
  assert.equal(text, readFileSync(path, 'utf8'));
}

const samples = {
  plain: 'rootfs: host',
  folder: 'rootfs: ./alpine, command: [ nginx, -g, "daemon off;" ]',
  full: `
    rootfs: /srv/root, entrypoint: "/bin/tini --", command: "nginx -g 'daemon off;'", hostname: www, user: "www", tty: true,
    stdin_open: true, init: true, working_dir: /srv/../var/www, env_files: web.env, env: { A: own, PATH: /bin, GONE: null },
    binds: [ "./www:/var/www:ro", "/mnt:/mnt:rslave", "~/x:/var/www/x:bind,noexec" ],
    volumes: [ "data:/var/lib/data", "/cache", { type: tmpfs, target: /scratch } ], tmpfs: [ "/tmp:size=16m,exec" ],
    devices: [ "/dev/net/tun", "/dev/snd:/dev/sound:r" ], cap_add: [ NET_ADMIN ], cap_drop: [ MKNOD, CHOWN ],
    security_opt: [ "no-new-privileges=false", "seccomp=filter.json" ], ulimits: { nofile: 100000, core: { soft: 0, hard: -1 } },
    cpu: 0.5, memory: 64MB, pids: 100, shm_size: 1MB, read_only: true, restart: "on-failure:3", stop_signal: SIGQUIT,
    stop_grace_period: 1500ms, healthcheck: { test: [ CMD, "true" ], interval: 2s, retries: 5 },
    sysctls: { kernel.shmmax: 4096, net.ipv4.ping_group_range: "1 0" }, labels: { role: web }`,
  privileged: 'rootfs: host, privileged: true, cap_drop: [ ALL ], command: sleep 1d',
  'host-network': 'rootfs: host, network_mode: host',
  userns: `
    rootfs: host, userns: { uid: [ "0:100000:1000", "1000:0:1" ], gid: [ "0:200000:1000" ] }, user: www, devices: [ "/dev/net/tun:/dev/tap" ],
    cap_add: [ SYS_RESOURCE ], time_offsets: { boottime: 24h, monotonic: -1500ms }`,
};

describe('the OCI configuration and the program of a node', () => {
  for (const [name, keys] of Object.entries(samples)) {
    it(`are those of the golden files: ${name}`, () => {
      const spec = specOf(keys);
      const { program, exec, warnings } = lowerSpec(spec, sampleLowerFacts);
      assertGolden(`${name}.json`, `${JSON.stringify(spec, null, 2)}\n`);
      const told = warnings.map((text) => `# ${text}\n`).join('');
      assertGolden(`${name}.txt`, `${disassemble(program)}\n# exec\n${disassemble(exec)}${told}`);
    });
  }
});

describe('a user namespace', () => {
  const refusal = (keys: string): string => {
    try {
      lowered(keys);
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
    return 'not refused';
  };

  it('is that which owns the network, and a new one where the network is of another', () => {
    const userOf = (keys: string) => specOf(keys).linux.namespaces.filter(({ type }) => type === 'user');
    const pin = '/run/nslab/labs/lab/netns/.user/web';
    assert.deepEqual(userOf('rootfs: host, userns: "100000:10"'), [{ type: 'user', path: pin }]);
    assert.deepEqual(userOf('rootfs: host, userns: "100000:10", network_mode: host'), [{ type: 'user' }]);
    assert.deepEqual(userOf('rootfs: host, userns: "100000:10", network_mode: "container:db"'), [
      { type: 'user' },
    ]);
    assert.deepEqual(userOf('rootfs: host'), []);
  });

  it('has the users and groups that the process is of', () => {
    assert.equal(refusal('rootfs: host, userns: "100000:100", user: www'), 'not refused');
    assert.match(refusal('rootfs: host, userns: "100000:20", user: www'), /has no user 33$/);
    assert.match(refusal('rootfs: host, userns: "100000:50", user: "5:60"'), /has no group 60$/);
    assert.match(
      refusal('rootfs: host, userns: { uid: ["0:100000:50"], gid: ["0:5:4", "33:9:1"] }, user: www'),
      /has no group [45]$/,
    );
  });

  it('without the group of terminals has a devpts without it', () => {
    const options = (size: number) =>
      specOf(`rootfs: host, userns: "100000:${size}"`).mounts.find(({ type }) => type === 'devpts')?.options;
    assert.ok(options(6)?.includes('gid=5'));
    assert.ok(!options(5)?.includes('gid=5'));
  });

  it('has devices as binds, one that the file puts in the place of a default among them', () => {
    const ops = opsOf('rootfs: host, userns: "100000:10", devices: [ "/dev/net/tun:/dev/null" ]');
    assert.deepEqual(
      ops.filter(({ op }) => op === 'DEVICE'),
      [],
    );
    const sources = ops.flatMap((op) => (op.op === 'BIND' && op.target === '/dev/null' ? [op.source] : []));
    assert.deepEqual(sources, ['/dev/net/tun']);
  });
});

describe('capabilities', () => {
  const boundingOf = (keys: string) => {
    const caps = opsOf(`rootfs: host, ${keys}`).find(({ op }) => op === 'CAPS');
    return caps?.op === 'CAPS' ? caps.bounding : undefined;
  };

  it('are added to and taken from the fourteen of Docker, in any spelling', () => {
    const fourteen = boundingOf('cap_add: []') ?? 0n;
    assert.equal(fourteen, 0xa80425fbn);
    assert.equal(
      boundingOf('cap_add: [ net_admin, CAP_SYS_TIME ]'),
      fourteen | capabilityMask(['NET_ADMIN', 'SYS_TIME']),
    );
    assert.equal(boundingOf('cap_drop: [ ALL ]'), 0n);
    assert.equal(boundingOf('cap_drop: [ ALL ], cap_add: [ KILL ]'), capabilityMask(['KILL']));
    assert.equal(
      boundingOf('cap_add: [ ALL ], cap_drop: [ KILL ]'),
      sampleCapabilities & ~capabilityMask(['KILL']),
    );
  });

  it('that nslab does not have itself are granted to nobody, and it is said', () => {
    const { warnings } = lowered('rootfs: host, cap_add: [ SYS_RESOURCE ]');
    assert.deepEqual(warnings, ['CAP_SYS_RESOURCE cannot be granted: nslab does not have it itself']);
    assert.deepEqual(lowered('rootfs: host').warnings, []);
  });

  it('are none at first for another user than root, who may gain those of the bounding set', () => {
    const caps = opsOf('rootfs: host, user: www').find(({ op }) => op === 'CAPS');
    assert.deepEqual(caps, {
      op: 'CAPS',
      bounding: 0xa80425fbn,
      effective: 0n,
      permitted: 0n,
      inheritable: 0n,
      ambient: 0n,
    });
  });
});

describe('limits', () => {
  it('above what nslab has are lowered to it, with a warning, unless it may raise them', () => {
    const keys = 'rootfs: host, ulimits: { nofile: { soft: 1000, hard: -1 } }';
    const limit = (facts: Partial<LowerFacts>) => {
      const { program, warnings } = lowered(keys, facts);
      return [decodeProgram(program).find(({ op }) => op === 'RLIMIT'), warnings.length];
    };
    const rlimit = { op: 'RLIMIT', resource: 7, soft: 1000n };
    assert.deepEqual(limit({}), [{ ...rlimit, hard: 20000n }, 1]);
    const all = { capabilities: 0x1ff_ffff_ffffn, hardLimits: new Map([['RLIMIT_NOFILE', 20000]]) };
    assert.deepEqual(limit({ process: all }), [{ ...rlimit, hard: 0xffff_ffff_ffff_ffffn }, 0]);
  });
});

describe('mounts', () => {
  const targets = (keys: string) =>
    specOf(`rootfs: host, ${keys}`).mounts.map(({ destination }) => destination);
  const masks = (keys: string) => specOf(`rootfs: host, ${keys}`).linux.maskedPaths ?? [];

  it('of the file take the place of a default, and the outer ones come first', () => {
    const all = targets('binds: [ "/a:/x/y/z", "/b:/x" ], tmpfs: /dev/shm');
    assert.equal(all.filter((path) => path === '/dev/shm').length, 1);
    assert.ok(all.indexOf('/x') < all.indexOf('/x/y/z'));
  });

  it('of a whole /dev bring no device of ours into it, which would be made on the machine', () => {
    const ops = opsOf('rootfs: host, binds: [ "/dev:/dev" ], devices: [ "/dev/net/tun" ]');
    assert.deepEqual(
      ops.filter(({ op }) => op === 'DEVICE' || op === 'SYMLINK'),
      [],
    );
    assert.ok(!targets('binds: [ "/dev:/dev" ]').includes('/dev/pts'));
  });

  it('of a secret of the machine are meant to be seen', () => {
    assert.ok(masks('init: true').includes('/etc/shadow'));
    assert.ok(masks('init: true').includes('/etc/ssh/ssh_host_ed25519_key'));
    assert.ok(!masks('binds: [ "./shadow:/etc/shadow" ]').includes('/etc/shadow'));
  });

  it('hide nothing of /proc and /sys when the file says so, but the secrets of the machine all the same', () => {
    const seen = masks('security_opt: [ systempaths=unconfined ]');
    assert.ok(!seen.includes('/proc/kcore'));
    assert.ok(seen.includes('/etc/shadow'));
  });

  it('give a cgroup2 that is alone the place of the folder of all hierarchies', () => {
    const cgroup = { join: [], mounts: [{ name: '', fstype: 'cgroup2', options: [] } as const] };
    const ops = decodeProgram(lowered('rootfs: host', { cgroup }).program);
    const at = ops.filter((op) => op.op === 'MOUNT' && op.target.startsWith('/sys/fs/cgroup'));
    assert.deepEqual(
      at.map((op) => op.op === 'MOUNT' && [op.fstype, op.target]),
      [['cgroup2', '/sys/fs/cgroup']],
    );
  });
});

describe('a node that cannot be a container', () => {
  it('has an image that nobody has found', () => {
    const node = { name: 'a', place: null, container: { image: 'alpine', options: {} } };
    assert.throws(() => buildSpec(node as never, sampleHost), { code: 'CONTAINER_ROOTFS' });
  });

  it('has a user that its files do not have', () => {
    assert.throws(() => lowered('rootfs: host, user: nobody'), { code: 'CONTAINER_USER' });
    assert.throws(() => lowered('rootfs: host, user: "0x10"'), { code: 'CONTAINER_USER' });
  });

  it('has a bad file of variables', () => {
    const facts = { ...sampleHost.facts, envFiles: new Map([['/lab/x', 'A=1\nB="open\n']]) };
    const node = nodeOf(labOf('nodes: { web: { rootfs: host, env_files: x } }'), 'web');
    assert.throws(() => buildSpec(node, { ...sampleHost, facts }), {
      code: 'CONTAINER_FILE',
      message: 'env_files: /lab/x has a quote that never ends in line 2',
    });
  });
});

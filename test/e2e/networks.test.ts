// Networks of containers and published ports as a user has them, on the real kernel: who reaches whom by which address, what happens to
// listeners, and what is told before anything is made. All traffic is between namespaces that the tests make.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { patience } from '../support/emulated.ts';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { nslab, nslabCommand, nslabOk, type Run, run, type UpLab, upLab } from '../support/nslab.ts';
import { skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

const PATIENCE_MS = patience(20_000);
const OUTSIDE = 'nslabt-out';
/** The machine's address on the wire to the outside. */
const MACHINE = '198.51.100.1';

/** Answers TCP on these ports with its name and who asks, and echoes UDP. */
function server(name: string, tcp: readonly number[], udp: readonly number[] = []): string[] {
  const script = `
    const net = require('node:net'), dgram = require('node:dgram');
    for (const port of ${JSON.stringify(tcp)})
      net.createServer((socket) => {
        socket.on('error', () => {});
        socket.end('${name} ' + port + ' ' + socket.remoteAddress.replace(/^::ffff:/, '') + '\\n');
      }).listen(port);
    for (const port of ${JSON.stringify(udp)}) {
      const socket = dgram.createSocket('udp4').bind(port);
      socket.on('message', (text, from) => socket.send('${name} ' + text, from.port, from.address));
    }`;
  return [process.execPath, '-e', script];
}

function up(name: string, nodes: Readonly<Record<string, object>>, more: object = {}): Promise<UpLab> {
  const each = Object.entries(nodes).map(([node, keys]) => [node, { rootfs: 'host', init: true, ...keys }]);
  return upLab('-', { input: JSON.stringify({ name, nodes: Object.fromEntries(each), ...more }) });
}

type Wire = AsyncDisposable & { readonly exec: (...argv: string[]) => Run };

/** A computer that knows nothing but the machine's address. */
function makeOutside(): Wire {
  const ip = (words: string) => execFileSync('ip', words.split(' '));
  ip(`netns add ${OUTSIDE}`);
  ip(`link add nslabt-up type veth peer name eth0 netns ${OUTSIDE}`);
  ip(`addr add ${MACHINE}/24 dev nslabt-up`);
  ip('link set nslabt-up up');
  for (const words of ['addr add 198.51.100.9/24 dev eth0', 'link set eth0 up', 'link set lo up'])
    ip(`-n ${OUTSIDE} ${words}`);
  return {
    exec: (...argv) => run(['ip', 'netns', 'exec', OUTSIDE, ...argv]),
    async [Symbol.asyncDispose]() {
      ip(`netns del ${OUTSIDE}`);
      const gone = () => run(['ip', 'link', 'show', 'nslabt-up']).status !== 0;
      await until('the wire is gone', gone);
    },
  };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > deadline) assert.fail(`not within ${PATIENCE_MS} ms: ${what}`);
    await pause(50);
  }
}

/** What is read from a port, in a shell of bash: '' when nobody answers. */
function ask(
  host: string,
  port: number,
  from: (...argv: string[]) => Run = (...argv) => run(argv as never),
): string {
  const script = 'exec 2>/dev/null 3<>"/dev/tcp/$0/$1" && timeout 5 cat <&3';
  return from('timeout', '6', 'bash', '-c', script, host, String(port)).stdout.trim();
}

function askUdp(
  host: string,
  port: number,
  from: (...argv: string[]) => Run = (...argv) => run(argv as never),
): string {
  const script =
    'exec 2>/dev/null 3<>"/dev/udp/$0/$1"; echo -n hello >&3; timeout 3 dd bs=100 count=1 status=none <&3';
  return from('timeout', '6', 'bash', '-c', script, host, String(port)).stdout.trim();
}

/** Asks until somebody answers: a server needs a moment to start. */
async function asked(expected: string, question: () => string): Promise<void> {
  let answer = '';
  const deadline = Date.now() + PATIENCE_MS;
  do {
    answer = question();
    if (answer === expected) return;
    await pause(50);
  } while (Date.now() < deadline);
  assert.equal(answer, expected);
}

/** The processes that listen for containers. */
function publishers(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'nslab-publish\n';
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Addresses and ports at which the machine listens, `tcp 0.0.0.0:8080`. */
function listening(port: number): string[] {
  const { stdout } = run(['ss', '-lntuH', `sport = :${port}`]);
  return stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [kind, , , , local] = line.split(/\s+/);
      return `${kind} ${local}`;
    })
    .sort();
}

function leavesNothing(title: string, body: (t: TestContext) => Promise<void>): void {
  test(title, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    // The first `ip netns add` of a machine makes /run/netns a mount point for good.
    run(['ip', 'netns', 'add', OUTSIDE]);
    run(['ip', 'netns', 'del', OUTSIDE]);
    const before = await fingerprint();
    await body(t);
    await assertUnchanged(before);
  });
}

leavesNothing(
  'a published port is reached from everywhere, and what is not published from nowhere',
  async (t) => {
    await using outside = makeOutside();
    await using lab = await up('nt-ports', {
      web: {
        command: server('web', [80, 81, 9000, 9001, 9002], [53]),
        ports: [
          '18080:80',
          '127.0.0.1:18081:80/tcp',
          '[::1]:18082:80',
          '18053:53/udp',
          '18000-18002:9000-9002',
        ],
      },
      app: { command: server('app', [80]) },
    });
    const inside =
      (node: string) =>
      (...argv: string[]) =>
        lab.exec(node, ...argv);
    await asked('web 80 172.18.0.1', () => ask('127.0.0.1', 18080));
    await t.test('from the machine: loopback of both families, and its own address', () => {
      assert.equal(ask('::1', 18080), 'web 80 172.18.0.1');
      assert.equal(ask(MACHINE, 18080), `web 80 ${MACHINE}`);
      assert.equal(ask('172.18.0.1', 18080), 'web 80 172.18.0.1');
      assert.equal(ask('127.0.0.9', 18080), 'web 80 172.18.0.1');
    });
    await t.test('from outside, which the container sees as it is', () => {
      assert.equal(ask(MACHINE, 18080, outside.exec), 'web 80 198.51.100.9');
    });
    await t.test('ports on one address are on no other', () => {
      assert.equal(ask('127.0.0.1', 18081), 'web 80 172.18.0.1');
      assert.equal(ask(MACHINE, 18081), '');
      assert.equal(ask(MACHINE, 18081, outside.exec), '');
      assert.equal(ask('::1', 18082), 'web 80 172.18.0.1');
      assert.equal(ask('127.0.0.1', 18082), '');
      assert.deepEqual(listening(18081), ['tcp 127.0.0.1:18081']);
    });
    await t.test('a range keeps its order, and ends', () => {
      for (const [i, port] of [18000, 18001, 18002].entries()) {
        assert.equal(ask('127.0.0.1', port), `web ${9000 + i} 172.18.0.1`);
        assert.equal(ask(MACHINE, port, outside.exec), `web ${9000 + i} 198.51.100.9`);
      }
      assert.equal(ask('127.0.0.1', 18003), '');
    });
    await t.test('UDP, through the relay and by DNAT', () => {
      assert.equal(askUdp('127.0.0.1', 18053), 'web hello');
      assert.equal(askUdp('::1', 18053), 'web hello');
      assert.equal(askUdp(MACHINE, 18053), 'web hello');
      assert.equal(askUdp(MACHINE, 18053, outside.exec), 'web hello');
      // The answer comes from the address that was asked, though 127.0.0.1 would be the nearer one.
      assert.equal(askUdp('127.0.0.7', 18053), 'web hello');
    });
    await t.test('from a neighbour by name and by the published port, and from itself', () => {
      assert.equal(ask('web', 80, inside('app')), 'web 80 172.18.0.3');
      assert.match(ask(MACHINE, 18080, inside('app')), /^web 80 172\.18\.0\.[13]$/);
      assert.equal(ask(MACHINE, 18080, inside('web')), 'web 80 172.18.0.1');
      assert.equal(ask('172.18.0.1', 18080, inside('web')), 'web 80 172.18.0.1');
    });
    await t.test('the container gets out, and nobody in but by a published port', () => {
      assert.equal(lab.exec('app', 'ping', '-c', '1', '-W', '5', '198.51.100.9').status, 0);
      execFileSync('ip', `-n ${OUTSIDE} route add 172.18.0.0/16 via ${MACHINE}`.split(' '));
      assert.equal(ask('172.18.0.2', 80, outside.exec), '');
      assert.equal(ask('172.18.0.2', 81, outside.exec), '');
    });
    await t.test('the relay has no rights', () => {
      const [pid = 0] = publishers();
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      assert.match(status, /^Uid:\s+65534\s+65534\s+65534\s+65534$/m);
      assert.match(status, /^CapEff:\s+0+$/m);
      assert.match(status, /^NoNewPrivs:\s+1$/m);
    });
  },
);

/** Reads all until the client has ended, then answers with the hash of it and all of it again. */
const DIGESTING = [
  process.execPath,
  '-e',
  `
  const { createHash } = require('node:crypto');
  require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
    const parts = [];
    socket.on('error', () => {}).on('data', (part) => parts.push(part)).on('end', () => {
      const all = Buffer.concat(parts);
      socket.write(createHash('sha256').update(all).digest('hex'));
      socket.end(all);
    });
  }).listen(80);`,
];

/** Sends it all, ends that direction alone, and reads until the other side ends. */
function exchange(port: number, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true }, () => socket.end(bytes));
    socket.on('data', (part) => parts.push(part));
    socket.on('end', () => resolve(Buffer.concat(parts)));
    socket.on('error', reject);
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('silence')));
  });
}

leavesNothing('the relay passes on every byte, both ways, to many at once', async (t) => {
  await using lab = await up('nt-relay', {
    web: { command: DIGESTING, ports: ['127.0.0.1:18080:80', '127.0.0.1:18081:81'] },
  });
  const check = async (bytes: Buffer): Promise<void> => {
    const got = await exchange(18080, bytes);
    const hash = createHash('sha256').update(bytes).digest('hex');
    assert.equal(got.subarray(0, 64).toString(), hash);
    assert.equal(Buffer.compare(got.subarray(64), bytes), 0);
  };
  await until('it serves', () => lab.exec('web', 'bash', '-c', 'exec 3<>/dev/tcp/127.0.0.1/80').status === 0);
  await t.test('16 MB there and back, each direction ended for itself', () => check(randomBytes(16 << 20)));
  await t.test('nothing at all', () => check(Buffer.alloc(0)));
  await t.test('200 at once', async () => {
    await Promise.all(Array.from({ length: 200 }, (_, i) => check(randomBytes(1000 + i))));
  });
  await t.test('a client that breaks off disturbs nobody', async () => {
    for (let i = 0; i < 20; i++) {
      const socket = connect({ host: '127.0.0.1', port: 18080 }, () => socket.write(randomBytes(100_000)));
      socket.on('error', () => undefined);
      await pause(5);
      socket.resetAndDestroy();
    }
    await check(randomBytes(1000));
  });
  await t.test('a port at which nobody in the container listens is reset, not ended', async () => {
    await assert.rejects(exchange(18081, Buffer.from('x')), /ECONNRESET|EPIPE/);
  });
  await t.test('and then it waits, with no connection open and no time used', async () => {
    const [pid = 0] = publishers();
    const open = () => readdirSync(`/proc/${pid}/fd`).length;
    await until('it has closed all', () => open() < 10);
    const used = () =>
      readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13).join(' ');
    const before = used();
    await pause(500);
    assert.equal(used(), before);
  });
});

leavesNothing('ports outlive a restart, end with the container, and come back with it', async (t) => {
  await using outside = makeOutside();
  await using lab = await up('nt-life', {
    web: { command: server('web', [80]), ports: ['18080:80'], restart: 'always' },
  });
  const works = () => asked('web 80 172.18.0.1', () => ask('127.0.0.1', 18080));
  await works();
  await t.test('restart: the same address', async () => {
    nslabOk(['restart', 'web']);
    await works();
  });
  await t.test('a container that died keeps its port until its policy starts it again', async () => {
    const [before] = publishers();
    nslab(['exec', '--lab', lab.name, 'web', 'sh', '-c', 'kill -9 -1; true']);
    await works();
    assert.deepEqual(publishers(), [before]);
  });
  await t.test('the relay killed by hand comes back', async () => {
    const [pid = 0] = publishers();
    process.kill(pid, 'SIGKILL');
    await until('another one listens', () => publishers().some((one) => one !== pid));
    await works();
  });
  await t.test('stop: nobody listens; start: the same again', async () => {
    nslabOk(['stop', '-t', '0', 'web']);
    assert.deepEqual(listening(18080), []);
    assert.deepEqual(publishers(), []);
    nslabOk(['start', 'web']);
    await works();
  });
  await t.test('stop: the port is the machine’s again, for those outside as well', async () => {
    nslabOk(['stop', '-t', '0', 'web']);
    const script = `require('node:net').createServer((s) => s.end('machine\\n')).listen(18080, '${MACHINE}')`;
    const holder = spawn(process.execPath, ['-e', script]);
    try {
      await asked('machine', () => ask(MACHINE, 18080));
      assert.equal(ask(MACHINE, 18080, outside.exec), 'machine');
    } finally {
      holder.kill('SIGKILL');
      await until('it has ended', () => listening(18080).length === 0);
    }
    nslabOk(['start', 'web']);
    await asked('web 80 198.51.100.9', () => ask(MACHINE, 18080, outside.exec));
  });
  await t.test('a container that ends by itself lets go of its ports, until it starts again', async () => {
    await using second = await up('nt-second', {
      heir: { command: server('heir', [80]), ports: ['18081:80'] },
    });
    const once = ['run', '-d', '--rootfs', 'host', '--name', 'nt-once', '-p', '18082:80', '--', 'true'];
    nslabOk(once);
    nslabOk(['wait', 'nt-once']);
    assert.deepEqual(listening(18082), []);
    const rules = run(['nft', 'list', 'table', 'inet', 'nslab-nt-once']).stdout;
    assert.match(
      rules,
      /chain prerouting-nt-once \{\n\s+type nat hook prerouting priority dstnat; policy accept;\n\s+\}/,
    );
    nslabOk(['rm', 'nt-once']);
    assert.equal(second.exec('heir', 'true').status, 0);
  });
  await t.test(
    'rules of the port that somebody deleted are there again after a start, and a table is not needed',
    async () => {
      run(['nft', 'flush', 'chain', 'inet', `nslab-${lab.name}`, 'prerouting-web']);
      assert.equal(ask(MACHINE, 18080, outside.exec), 'web 80 172.18.0.1', 'the relay serves meanwhile');
      nslabOk(['restart', '-t', '0', 'web']);
      await asked('web 80 198.51.100.9', () => ask(MACHINE, 18080, outside.exec));
      run(['nft', 'delete', 'table', 'inet', `nslab-${lab.name}`]);
      nslabOk(['restart', '-t', '0', 'web']);
      await asked('web 80 172.18.0.1', () => ask(MACHINE, 18080, outside.exec));
    },
  );
  await t.test('start says that somebody has taken the port meanwhile', async () => {
    nslabOk(['stop', '-t', '0', 'web']);
    const thief = createServer().listen(18080, '127.0.0.1');
    try {
      await until('the thief listens', () => listening(18080).length > 0);
      const { status, stderr } = nslab(['start', 'web']);
      assert.notEqual(status, 0);
      assert.match(stderr, /publish 0\.0\.0\.0:18080\/tcp: Address already in use/);
    } finally {
      thief.close();
    }
  });
  await t.test('the monitor killed takes the listener with it', async () => {
    nslabOk(['start', 'web']);
    await works();
    const [row] = JSON.parse(nslabOk(['ps', '--json', '--lab', lab.name]));
    process.kill(row.state.monitor, 'SIGKILL');
    await until('nobody listens', () => listening(18080).length === 0);
  });
});

leavesNothing('a port that somebody has is told before anything is made, and who it is', async (t) => {
  const input = JSON.stringify({ name: 'nt-taken', nodes: { web: { rootfs: 'host', ports: ['18080:80'] } } });
  const refused = (pattern: RegExp): void => {
    const { status, stderr } = nslab(['up', '-'], { input });
    assert.equal(status, 4, stderr);
    assert.match(stderr, pattern);
    assert.equal(run(['ip', 'netns', 'list']).stdout.includes('web'), false);
  };
  await t.test('a program', async () => {
    const holder = spawn(process.execPath, [
      '-e',
      'require("node:net").createServer().listen(18080, "127.0.0.1")',
    ]);
    try {
      await until('it listens', () => listening(18080).length > 0);
      refused(new RegExp(`0\\.0\\.0\\.0:18080/tcp of the machine is taken: process ${holder.pid} \\(node`));
    } finally {
      holder.kill('SIGKILL');
      await until('it has ended', () => listening(18080).length === 0);
    }
  });
  await t.test('a container of another lab, until it has ended; then it is told when it starts', async () => {
    await using _other = await up('nt-other', {
      first: { command: ['sleep', 'infinity'], ports: ['127.0.0.1:18080:80'] },
    });
    refused(/0\.0\.0\.0:18080\/tcp of the machine is taken: container first of lab nt-other publishes it/);
    nslabOk(['stop', '-t', '0', 'first']);
    await using _heir = await up('nt-heir', { heir: { command: server('heir', [80]), ports: ['18080:80'] } });
    await asked('heir 80 172.19.0.1', () => ask('127.0.0.1', 18080));
    const { status, stderr } = nslab(['start', 'first']);
    assert.notEqual(status, 0);
    assert.match(stderr, /publish 127\.0\.0\.1:18080\/tcp: Address already in use/);
  });
  await t.test('an address that the machine has not', () => {
    const nodes = { web: { rootfs: 'host', ports: ['198.51.100.77:18080:80'] } };
    const { status, stderr } = nslab(['up', '-'], { input: JSON.stringify({ name: 'nt-taken', nodes }) });
    assert.equal(status, 4);
    assert.match(stderr, /HOST_ADDRESS_MISSING.*198\.51\.100\.77/s);
  });
});

leavesNothing('two labs have networks of their own, and do not reach each other', async (t) => {
  await using one = await up('nt-one', { a1: { command: server('a1', [80]), ports: ['80'] }, a2: {} });
  await using two = await up('nt-two', { b1: { command: server('b1', [80]), ports: ['80'] } });
  const addressOf = (node: string) => {
    const rows = JSON.parse(nslabOk(['ps', '--json'])) as { node: string; addresses: string[] }[];
    return rows.find((row) => row.node === node)?.addresses[0];
  };
  await t.test('each takes the next subnet that is free, and keeps it', () => {
    assert.equal(addressOf('a1'), '172.18.0.2/16');
    assert.equal(addressOf('a2'), '172.18.0.3/16');
    assert.equal(addressOf('b1'), '172.19.0.2/16');
  });
  await t.test('a port of the machine that nslab chose is shown by ps, and no other', async () => {
    const rows = JSON.parse(nslabOk(['ps', '--json'])) as { node: string; ports: string[] }[];
    const ports = rows.flatMap((row) =>
      row.ports.map((text) => /^0\.0\.0\.0:(\d+)->80\/tcp$/.exec(text)?.[1]),
    );
    assert.equal(new Set(ports).size, 2);
    await asked('a1 80 172.18.0.1', () => ask('127.0.0.1', Number(ports[0])));
    await asked('b1 80 172.19.0.1', () => ask('127.0.0.1', Number(ports[1])));
  });
  await t.test('neither reaches the other', () => {
    assert.equal(
      ask('172.19.0.2', 80, (...argv) => one.exec('a2', ...argv)),
      '',
    );
    assert.equal(one.exec('a2', 'ping', '-c', '1', '-W', '1', '172.19.0.2').status === 0, false);
    assert.equal(two.exec('b1', 'ping', '-c', '1', '-W', '1', '172.18.0.3').status === 0, false);
    assert.equal(one.exec('a2', 'ping', '-c', '1', '-W', '5', 'a1').status, 0);
  });
  await t.test('the same file again changes nothing, though subnets before it have become free', async () => {
    const nodes = { b1: { rootfs: 'host', init: true, command: server('b1', [80]), ports: ['80'] } };
    assert.equal(one.down().status, 0);
    const again = nslabOk(['up', '-'], { input: JSON.stringify({ name: 'nt-two', nodes }) });
    assert.match(again, /is up already/);
  });
});

leavesNothing('of two labs that come at once each gets a subnet', async () => {
  const texts = ['nt-r1', 'nt-r2', 'nt-r3'].map((name) => ({
    name,
    input: JSON.stringify({ name, nodes: { [`${name}c`]: { rootfs: 'host' } } }),
  }));
  const ups = texts.map(({ input }) => {
    const [file, ...words] = nslabCommand(['up', '-']);
    const child = spawn(file, words, { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.end(input);
    let said = '';
    child.stderr.on('data', (text) => {
      said += text;
    });
    return new Promise<string>((resolve) => child.on('close', (code) => resolve(`${code} ${said}`)));
  });
  try {
    assert.deepEqual(await Promise.all(ups), ['0 ', '0 ', '0 ']);
    const rows = JSON.parse(nslabOk(['ps', '--json'])) as { addresses: string[] }[];
    assert.equal(new Set(rows.flatMap((row) => row.addresses)).size, 3);
  } finally {
    for (const { name } of texts) nslab(['down', name]);
  }
});

leavesNothing('IPv6: a subnet of the lab, and DNAT of its own', async (t) => {
  // Without it only the whole machine can be made to forward IPv6, and nslab leaves that to the file.
  if (!existsSync('/proc/sys/net/ipv6/conf/all/force_forwarding')) {
    skipKernelLacks(t, 'force_forwarding of IPv6');
    return;
  }
  await using lab = await up(
    'nt-six',
    {
      web: { command: server('web', [80]), ports: ['18080:80', '[::1]:18081:80'], networks: ['six'] },
      app: { networks: ['six'] },
    },
    { networks: { six: { enable_ipv6: true, ipam: { config: [{ subnet: '2001:db8:18::/64' }] } } } },
  );
  await asked('web 80 2001:db8:18::1', () => ask('2001:db8:18::1', 18080));
  assert.equal(ask('::1', 18081), 'web 80 2001:db8:18::1');
  assert.equal(ask('127.0.0.1', 18080), 'web 80 172.18.0.1');
  assert.equal(
    ask('2001:db8:18::1', 18080, (...argv) => lab.exec('web', ...argv)),
    'web 80 2001:db8:18::1',
  );
});

leavesNothing('a container with a link to the machine publishes there as well', async () => {
  await using outside = makeOutside();
  await using _lab = await up(
    'nt-link',
    { web: { command: server('web', [80]), ports: ['18080:80'], routes: ['default via 10.77.0.1'] } },
    {
      links: [
        {
          endpoints: [
            { node: 'web', interface: 'eth0', addresses: ['10.77.0.2/24'] },
            { node: 'host', interface: 'nslabt-web', addresses: ['10.77.0.1/24'] },
          ],
        },
      ],
    },
  );
  await asked('web 80 10.77.0.1', () => ask('127.0.0.1', 18080));
  assert.equal(ask(MACHINE, 18080, outside.exec), 'web 80 198.51.100.9');
});

leavesNothing('resolv.conf and hosts say what the file says', async () => {
  await using lab = await up('nt-dns', {
    web: {
      dns: ['198.51.100.53'],
      dns_search: ['lab.example', 'example'],
      dns_opt: ['ndots:2'],
      extra_hosts: ['machine:host-gateway', 'db:198.51.100.7'],
    },
  });
  assert.equal(
    lab.ok('web', 'cat', '/etc/resolv.conf'),
    'nameserver 198.51.100.53\nsearch lab.example example\noptions ndots:2\n',
  );
  assert.match(lab.ok('web', 'getent', 'hosts', 'machine'), /^172\.18\.0\.1 /);
  assert.match(lab.ok('web', 'getent', 'hosts', 'db'), /^198\.51\.100\.7 /);
});

leavesNothing(
  'nslab run joins the network of lab default, which comes and goes with its users',
  async (t) => {
    const start = (name: string, ...words: string[]) =>
      nslabOk(['run', '-d', '--rootfs', 'host', '--init', '--name', name, ...words]);
    start('nt-ra', '-p', '18080:80', '--', ...server('ra', [80]));
    start('nt-rb', '-p', '80', '--', 'sleep', 'infinity');
    try {
      await t.test('addresses one after the other, ports, neighbours', async () => {
        const rows = JSON.parse(nslabOk(['ps', '--json'])) as { addresses: string[]; ports: string[] }[];
        assert.deepEqual(
          rows.map((row) => row.addresses),
          [['172.18.0.2/16'], ['172.18.0.3/16']],
        );
        assert.match(rows[1]?.ports[0] ?? '', /^0\.0\.0\.0:\d+->80\/tcp$/);
        await asked('ra 80 172.18.0.1', () => ask('127.0.0.1', 18080));
        const from = (...argv: string[]) => nslab(['exec', 'nt-rb', ...argv]);
        assert.equal(ask('172.18.0.2', 80, from), 'ra 80 172.18.0.3');
      });
      await t.test('the lab of the network is not taken away under them', () => {
        const { status, stderr } = nslab(['down', 'default']);
        assert.equal(status, 7);
        assert.match(stderr, /LAB_IN_USE.*nt-ra, nt-rb/s);
      });
      await t.test('none and host have no part in it', () => {
        const { stdout } = nslab([
          'run',
          '--rm',
          '--rootfs',
          'host',
          '--network',
          'none',
          '--',
          'ip',
          '-br',
          'link',
        ]);
        assert.match(stdout, /^lo [^\n]*\n$/);
      });
      await t.test('the first goes, the network stays', () => {
        nslabOk(['down', 'nt-ra']);
        assert.match(nslabOk(['ls']), /^default /m);
      });
    } finally {
      for (const name of ['nt-ra', 'nt-rb']) nslab(['down', name]);
    }
    assert.equal(nslabOk(['ls']), 'no lab is up\n');
    await t.test('in the foreground, with --rm, nothing is left either', () => {
      const { stdout } = nslab([
        'run',
        '--rm',
        '--rootfs',
        'host',
        '--',
        'ip',
        '-br',
        '-4',
        'addr',
        'show',
        'eth0',
      ]);
      assert.match(stdout, /172\.18\.0\.2\/16/);
      assert.equal(nslabOk(['ls']), 'no lab is up\n');
    });
    await t.test('a run that is refused leaves no network behind', () => {
      assert.notEqual(
        nslab(['run', '-d', '--rootfs', '/nowhere', '--name', 'nt-rc', '--', 'true']).status,
        0,
      );
      assert.equal(nslabOk(['ls']), 'no lab is up\n');
    });
  },
);

leavesNothing('killed at any step of run, down leaves neither the container nor the network', async () => {
  const words = [
    'run',
    '-d',
    '--rootfs',
    'host',
    '--init',
    '--name',
    'nt-rk',
    '-p',
    '18080:80',
    '--',
    'sleep',
    'infinity',
  ];
  const before = await fingerprint();
  for (let index = 0; ; index += 4) {
    const env = { ...process.env, NSLAB_FAULT: `up:after:${index}` };
    const { status, stderr } = nslab(words, { env });
    nslabOk(['down', 'nt-rk']);
    await assertUnchanged(before, `after op ${index} of run`);
    if (status === 0) break;
    assert.equal(status, 128 + 9, stderr);
    assert.ok(index < 100);
  }
});

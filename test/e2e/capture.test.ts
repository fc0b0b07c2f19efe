// `nslab capture`: what it writes is read by tshark and tcpdump, what it prints is compared with what was sent.

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { patience } from '../support/emulated.ts';
import { nslab, nslabOk, type RunOptions, run, startNslab, type UpLab, upLab } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const PATIENCE_MS = patience(30_000);

/** pc1 - r - pc2, and a wire to the machine. */
const lab = (name: string): string => `
name: ${name}
nodes:
  pc1: { routes: [default via 10.71.1.254, default via fd71:1::fe] }
  r: { kind: router }
  pc2: { routes: [default via 10.71.2.254, default via fd71:2::fe] }
links:
  - endpoints:
      - { node: pc1, interface: eth0, addresses: [10.71.1.1/24, "fd71:1::1/64"] }
      - { node: r, interface: left, addresses: [10.71.1.254/24, "fd71:1::fe/64"] }
  - endpoints:
      - { node: r, interface: right, addresses: [10.71.2.254/24, "fd71:2::fe/64"] }
      - { node: pc2, interface: eth0, addresses: [10.71.2.1/24, "fd71:2::1/64"] }
  - endpoints: ["pc2:up", "host:${name}"]
`;

function captureTest(title: string, body: (t: TestContext, folder: string) => Promise<void>): void {
  test(title, { timeout: 4 * PATIENCE_MS }, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    const folder = mkdtempSync(join(tmpdir(), 'nslab-capture-'));
    try {
      await body(t, folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

type Capture = {
  readonly child: ChildProcess;
  readonly stdout: () => Buffer;
  /** By SIGINT; its status and all it has said. */
  readonly end: (
    signal?: NodeJS.Signals,
  ) => Promise<{ status: number | null; stdout: string; stderr: string }>;
  readonly ended: Promise<number | null>;
};

/** Started, and listening. */
async function startCapture(...words: string[]): Promise<Capture> {
  const child = startNslab(['capture', ...words]);
  const out: Buffer[] = [];
  let said = '';
  const ended = new Promise<number | null>((resolve) => child.once('close', (status) => resolve(status)));
  child.stdout?.on('data', (bytes: Buffer) => out.push(bytes));
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no capture: ${said}`)), PATIENCE_MS);
    child.stderr?.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes('capturing on')) resolve();
    });
    void ended.then(() => reject(new Error(`the capture ended: ${said}`)));
    void ended.then(() => clearTimeout(late));
  });
  const stdout = (): Buffer => Buffer.concat(out);
  return {
    child,
    stdout,
    ended,
    end: async (signal = 'SIGINT') => {
      child.kill(signal);
      const status = await ended;
      return { status, stdout: stdout().toString(), stderr: said };
    },
  };
}

function tool(file: string, args: readonly string[], options: RunOptions = {}): string {
  const { status, stdout, stderr } = run([file, ...args], options);
  assert.equal(status, 0, `${file} ${args.join(' ')} (bin/setup tests installs it)\n${stderr}`);
  return stdout;
}

/** Rows of fields, of the packets that the display filter lets through. */
function tshark(file: string, filter: string, ...fields: string[]): string[][] {
  const words = ['-n', '-r', file, '-Y', filter, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
  return tool('tshark', words)
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'));
}

type Block = { readonly type: number; readonly body: Buffer };

/** The blocks of a file, each held against its own two lengths. */
function blocksOf(bytes: Buffer): Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    assert.equal(length % 4, 0);
    assert.equal(bytes.readUInt32LE(at + length - 4), length);
    blocks.push({ type: bytes.readUInt32LE(at), body: bytes.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return blocks;
}

function optionsOf(body: Buffer, from: number): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = from; at + 4 <= body.length; ) {
    const length = body.readUInt16LE(at + 2);
    options.set(body.readUInt16LE(at), body.subarray(at + 4, at + 4 + length));
    at += 4 + ((length + 3) & ~3);
  }
  return options;
}

function ping(up: UpLab, ...words: string[]): void {
  up.ok('pc1', 'ping', '-n', '-W', '5', ...words);
}

captureTest(
  'one file has every interface by name, in time order, as tshark and tcpdump read it',
  async (_, folder) => {
    await using up = await upLab('-', { input: lab('cpf') });
    const file = join(folder, 'lab.pcapng');
    const capture = await startCapture('pc1', 'pc1:lo', 'r', 'pc2:eth0', '-w', file);
    ping(up, '-c', '2', '-i', '0.2', '10.71.2.1');
    ping(up, '-c', '1', '127.0.0.1');
    const { status, stderr } = await capture.end();
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^[0-9]+ packets on 5 interfaces, 0 lost$/m);

    const requests = tshark(
      file,
      'icmp.type == 8 && ip.dst == 10.71.2.1 && icmp.seq == 1',
      'frame.interface_name',
      'frame.packet_flags_direction',
      'ip.ttl',
    );
    assert.deepEqual(
      requests.map(([name]) => name),
      ['pc1:eth0', 'r:left', 'r:right', 'pc2:eth0'],
    );
    // 1 is inbound, 2 outbound.
    assert.deepEqual(
      requests.map(([, direction]) => Number(direction)),
      [2, 1, 2, 1],
    );
    assert.deepEqual(
      requests.map(([, , ttl]) => ttl),
      ['64', '64', '63', '63'],
    );
    const times = tshark(file, 'frame', 'frame.time_epoch').map(([time = '']) =>
      BigInt(time.replace('.', '')),
    );
    assert.deepEqual(
      times,
      times.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
    );
    assert.ok(Math.abs(Number((times[0] ?? 0n) / 1_000_000n) - Date.now()) < 2 * PATIENCE_MS);
    // lo has a packet of its own once.
    assert.equal(tshark(file, 'ip.dst == 127.0.0.1 && icmp.type == 8', 'frame.interface_name').length, 1);

    const blocks = blocksOf(readFileSync(file));
    assert.equal(blocks[0]?.type, 0x0a0d0d0a);
    const names = blocks
      .filter(({ type }) => type === 1)
      .map(({ body }) => optionsOf(body, 8).get(2)?.toString());
    assert.deepEqual(names, ['pc1:lo', 'pc1:eth0', 'r:left', 'r:right', 'pc2:eth0']);
    const packets = blocks.filter(({ type }) => type === 6);
    const counts = blocks.filter(({ type }) => type === 5);
    assert.equal(counts.length, names.length);
    for (const { body } of counts) {
      const index = body.readUInt32LE(0);
      const options = optionsOf(body, 12);
      assert.equal(
        Number(options.get(8)?.readBigUInt64LE()),
        packets.filter((one) => one.body.readUInt32LE(0) === index).length,
      );
      assert.equal(Number(options.get(7)?.readBigUInt64LE()), 0);
    }
    assert.equal(tool('tcpdump', ['-n', '-r', file]).trim().split('\n').length, packets.length);
  },
);

captureTest('lines show a packet cross the lab, one an interface', async () => {
  await using up = await upLab('-', { input: lab('cpt') });
  const lines = await startCapture('-f', 'icmp and host pc2', '-c', '8');
  ping(up, '-c', '1', '10.71.2.1');
  assert.equal(await lines.ended, 0);
  const text = lines.stdout().toString().trimEnd().split('\n');
  const shape = /^\d\d:\d\d:\d\d\.\d{6} (\S+) +(out →|in {2}←) (.*)$/;
  const seen = text.map((line) => shape.exec(line)?.slice(1));
  const request = '10.71.1.1 > 10.71.2.1 ICMP echo request';
  const reply = '10.71.2.1 > 10.71.1.1 ICMP echo reply';
  assert.deepEqual(
    seen.map((one) => [one?.[0], one?.[1], one?.[2]?.replace(/ id.*/, '')]),
    [
      ['pc1:eth0', 'out →', request],
      ['r:left', 'in  ←', request],
      ['r:right', 'out →', request],
      ['pc2:eth0', 'in  ←', request],
      ['pc2:eth0', 'out →', reply],
      ['r:right', 'in  ←', reply],
      ['r:left', 'out →', reply],
      ['pc1:eth0', 'in  ←', reply],
    ],
  );
  assert.match(seen[2]?.[2] ?? '', /id \d+ seq 1 ttl 63 len 64$/);
});

captureTest('other filters are tcpdump’s, and where it is missing that is said', async (_, folder) => {
  await using up = await upLab('-', { input: lab('cpx') });
  const syn = await startCapture('pc1', '-f', 'tcp[13] & 2 != 0', '-c', '1');
  const echo = await startCapture('pc1', '-f', 'icmp[0] = 8', '-c', '1');
  const connect = "import socket\ntry: socket.create_connection(('10.71.2.1', 80), 5)\nexcept OSError: pass";
  up.ok('pc1', 'python3', '-c', connect);
  ping(up, '-c', '1', '10.71.2.1');
  assert.deepEqual([await syn.ended, await echo.ended], [0, 0]);
  assert.match(syn.stdout().toString(), /TCP SYN seq/);
  assert.match(echo.stdout().toString(), /^[^\n]*echo request[^\n]*\n$/);

  const refused = nslab(['capture', '-f', 'tcp[']);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /^error\[CAPTURE_FILTER\] the filter means nothing: /);
  mkdirSync(join(folder, 'bin'));
  symlinkSync(process.execPath, join(folder, 'bin/node'));
  const env = { ...process.env, PATH: join(folder, 'bin') };
  const missing = nslab(['capture', '-f', 'tcp[13] & 2 != 0'], { env });
  assert.equal(missing.status, 2);
  assert.match(
    missing.stderr,
    /needs tcpdump, which is not installed\n {2}hint: apt-get install tcpdump; .*icmp/,
  );
  assert.equal(nslab(['capture', '-f', 'icmp', '--duration', '0.1'], { env }).status, 0);
});

captureTest('a pipe gets it live, and a reader that has seen enough ends it', async (_, folder) => {
  await using up = await upLab('-', { input: lab('cpp') });
  const capture = await startCapture('-w', '-', '-f', 'icmp', '--snaplen', '60');
  ping(up, '-c', '1', '10.71.2.1');
  const deadline = Date.now() + PATIENCE_MS;
  const packets = (): number => blocksOf(capture.stdout()).filter(({ type }) => type === 6).length;
  while (packets() < 8 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(packets(), 8);
  const longest = Math.max(
    ...blocksOf(capture.stdout())
      .filter(({ type }) => type === 6)
      .map(({ body }) => body.readUInt32LE(12)),
  );
  assert.equal(longest, 60);
  capture.child.stdout?.destroy();
  ping(up, '-c', '1', '10.71.2.1');
  assert.equal(await capture.ended, 0);

  const file = join(folder, 'timed.pcapng');
  nslabOk(['capture', '-w', file, '--duration', '0.2']);
  assert.equal(blocksOf(readFileSync(file)).filter(({ type }) => type === 5).length, 6);
});

captureTest('what goes away ends its part, and down is not kept waiting', async (_, folder) => {
  await using up = await upLab('-', { input: lab('cpg') });
  const file = join(folder, 'gone.pcapng');
  const capture = await startCapture('-w', file);
  nslabOk(['exec', 'pc2', 'ip', 'link', 'del', 'dev', 'up']);
  ping(up, '-c', '1', '10.71.2.1');
  const down = nslab(['down', '--wait', up.name]);
  assert.equal(down.status, 0, down.stderr);
  assert.equal(await capture.ended, 0);
  const { stderr } = await capture.end();
  for (const name of ['pc2:up', 'host:cpg', 'pc1:eth0', 'r:left', 'r:right', 'pc2:eth0'])
    assert.match(stderr, new RegExp(`^warning: ${name} is gone$`, 'm'));
  assert.equal(tshark(file, 'icmp', 'frame.number').length, 8);
  assert.equal(blocksOf(readFileSync(file)).filter(({ type }) => type === 5).length, 6);
  assert.ok(statSync(file).size > 0);
  await up.down();
});

captureTest('what is not there is told', async () => {
  await using up = await upLab('-', { input: lab('cpe') });
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['pc3'], 7, /^error\[NODE_UNKNOWN\] no node "pc3" is up\n {2}hint: did you mean/],
    [
      ['pc1:eth9'],
      7,
      /^error\[INTERFACE_UNKNOWN\] node pc1 has no interface "eth9"\n {2}hint: it has lo, eth0/,
    ],
    [['pc1:'], 7, /^error\[INTERFACE_UNKNOWN\]/],
    [['--lab', 'nosuch'], 7, /^error\[LAB_UNKNOWN\]/],
    [['-c', '0'], 2, /^error\[USAGE\] --count/],
    [['--snaplen', '1'], 2, /^error\[USAGE\] --snaplen/],
    [['--duration', 'x'], 2, /^error\[USAGE\]/],
    [['-w', '/no/such/folder/x.pcapng'], 2, /^error\[USAGE\] cannot write to/],
  ];
  for (const [words, status, expected] of cases) {
    const result = nslab(['capture', ...words]);
    assert.deepEqual([words, result.status], [words, status], result.stderr);
    assert.match(result.stderr, expected);
  }
  assert.equal(up.name, 'cpe');
});

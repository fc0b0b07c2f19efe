// The prober of the helper in real namespaces: what it asks, what it hears, and what it does with lines that are no probes.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { helperPath } from '../../src/kernel/helper.ts';
import { Prober } from '../../src/probe/prober.ts';
import type { ProbeReply, ProbeRequest } from '../../src/probe/protocol.ts';
import { patience, rounds } from '../support/emulated.ts';
import { type ThrowawayNetns, throwawayNetns } from '../support/netns.ts';
import { sanitizedNslab } from '../support/pinned-lab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const WAIT_MS = patience(2000);
const SILENCE_MS = patience(300);

function kernelTest(title: string, body: (t: TestContext) => Promise<void> | void): void {
  test(title, async (t) => {
    if (!skipUnlessRoot(t)) await body(t);
  });
}

/** Two namespaces and a wire; the far one forwards, and refuses 10.9.0.0/16. */
async function pair(body: (near: ThrowawayNetns, far: ThrowawayNetns) => Promise<void>): Promise<void> {
  await using near = await throwawayNetns('near');
  await using far = await throwawayNetns('far');
  near.exec('ip', ...`link add e0 type veth peer name e0 netns ${far.name}`.split(' '));
  for (const [ns, last] of [
    [near, 1],
    [far, 2],
  ] as const) {
    for (const words of [
      'link set lo up',
      `addr add 10.0.0.${last}/24 dev e0`,
      `addr add fd00::${last}/64 dev e0 nodad`,
      'link set e0 up',
    ])
      ns.exec('ip', ...words.split(' '));
  }
  far.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  far.exec('ip', 'route', 'add', 'prohibit', '10.9.0.0/16');
  near.exec('ip', 'route', 'add', 'default', 'via', '10.0.0.2');
  await body(near, far);
}

const echo = Buffer.from('nslab');

kernelTest('answers, refusals and silence are told apart, and who said so', async () => {
  await pair(async (near, far) => {
    await using prober = new Prober(helperPath());
    const ask = async (
      request: Partial<ProbeRequest> & { address: string; kind: string },
    ): Promise<ProbeReply> =>
      await prober.ask({
        netns: near.path,
        timeout: WAIT_MS,
        payload: echo,
        port: 81,
        ...request,
      } as ProbeRequest);
    const show = ({ state, code, icmp }: ProbeReply): unknown => [
      state,
      code,
      icmp?.type,
      icmp?.code,
      icmp?.from,
    ];
    const quiet = { timeout: SILENCE_MS };
    const replies = await Promise.all([
      ask({ kind: 'icmp', address: '10.0.0.2' }),
      ask({ kind: 'icmp', address: 'fd00::2' }),
      ask({ kind: 'icmp', address: '10.9.0.1' }),
      ask({ kind: 'tcp', address: '10.9.0.1' }),
      ask({ kind: 'tcp', address: '10.0.0.2' }),
      ask({ kind: 'udp', address: '10.0.0.2' }),
      ask({ kind: 'udp', address: 'fd00::2' }),
      ask({ kind: 'icmp', address: '10.0.0.3', ...quiet }),
      ask({ kind: 'icmp', address: '192.0.2.1', netns: far.path }),
      ask({ kind: 'icmp', address: '10.0.0.2', netns: '/run/netns/no-such-name' }),
      ask({ kind: 'icmp', address: 'not-an-address' }),
    ]);
    assert.deepEqual(replies.map(show), [
      ['answer', undefined, undefined, undefined, undefined],
      ['answer', undefined, undefined, undefined, undefined],
      ['error', 'EHOSTUNREACH', 3, 13, '10.0.0.2'],
      ['error', 'EHOSTUNREACH', 3, 13, '10.0.0.2'],
      ['error', 'ECONNREFUSED', undefined, undefined, undefined],
      ['error', 'ECONNREFUSED', 3, 3, '10.0.0.2'],
      ['error', 'ECONNREFUSED', 1, 4, 'fd00::2'],
      ['silence', undefined, undefined, undefined, undefined],
      ['error', 'ENETUNREACH', undefined, undefined, undefined],
      ['error', 'ENOENT', undefined, undefined, undefined],
      ['error', 'EINVAL', undefined, undefined, undefined],
    ]);
  });
});

kernelTest('the link-local address of a wire is asked with its zone', async () => {
  await pair(async (near, far) => {
    await using prober = new Prober(helperPath());
    far.exec('ip', 'addr', 'add', 'fe80::2/64', 'dev', 'e0', 'nodad');
    near.exec('ip', 'addr', 'add', 'fe80::1/64', 'dev', 'e0', 'nodad');
    const base = { netns: near.path, timeout: WAIT_MS, kind: 'icmp', payload: echo } as const;
    assert.equal((await prober.ask({ ...base, address: 'fe80::2%e0' })).state, 'answer');
    assert.equal((await prober.ask({ ...base, address: 'fe80::2%e9' })).code, 'EINVAL');
  });
});

kernelTest('a stream is read to its end, its first 16 KiB, or until time is over', async () => {
  await using near = await throwawayNetns('near');
  near.exec('ip', 'link', 'set', 'lo', 'up');
  const server = createServer((socket) => {
    socket
      .on('error', () => undefined)
      .once('data', (text) => {
        if (text.toString() === 'hold') socket.write('begun');
        else if (text.toString() === 'much') socket.end(Buffer.alloc(100_000, 'x'));
        else socket.end(`you said ${text}`);
      });
  });
  // Without a name to look up, the socket is made at once, on this thread.
  near.inside(() => void server.listen(80));
  try {
    await using prober = new Prober(helperPath());
    const base = { netns: near.path, address: '127.0.0.1', kind: 'tcp', port: 80 } as const;
    const say = async (text: string, timeout = WAIT_MS) =>
      await prober.ask({ ...base, timeout, payload: Buffer.from(text) });
    const [short, much, hold] = await Promise.all([say('hello'), say('much'), say('hold', SILENCE_MS)]);
    assert.deepEqual([short.state, short.data.toString()], ['answer', 'you said hello']);
    assert.deepEqual([much.state, much.data.length], ['answer', 16_384]);
    assert.deepEqual([hold.state, hold.data.toString()], ['cut', 'begun']);
  } finally {
    server.close();
  }
});

kernelTest('two thousand questions at once, in many namespaces, get their own answers', async () => {
  await pair(async (near, far) => {
    await using prober = new Prober(helperPath());
    const asked = Array.from({ length: 2000 }, (_, i) => {
      const [netns, address] = i % 2 === 0 ? [near.path, '10.0.0.2'] : [far.path, 'fd00::1'];
      return prober.ask({ netns, address, timeout: WAIT_MS, kind: 'icmp', payload: echo });
    });
    const states = new Set((await Promise.all(asked)).map(({ state }) => state));
    assert.deepEqual([...states], ['answer']);
  });
});

kernelTest('lines that are no probes end it with an error, and overrun nothing', () => {
  const program = join(sanitizedNslab(), '../../dist/nslab-helper');
  const env = { ASAN_OPTIONS: 'detect_leaks=0' };
  const number = fc
    .oneof(fc.integer({ min: 0, max: 20 }), fc.bigInt({ min: -1n, max: 2n ** 70n }))
    .map(String);
  const text = fc.string({ unit: 'binary', maxLength: 30 }).map((one) => one.replace(/[\n\0]/g, ''));
  const hex = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('hex'));
  const address = fc.constantFrom('127.0.0.1', '::1', '0.0.0.0', 'fe80::1%lo', '1.2.3', '%', '');
  const kind = fc.constantFrom('icmp', 'udp', 'tcp', 'sctp');
  const port = fc.constantFrom('0', '1', '65535', '65536');
  const good = fc.tuple(
    number,
    fc.constantFrom('-', '/', '/proc/self/ns/net'),
    fc.constantFrom('0', '5'),
    kind,
    address,
    port,
    fc.oneof(hex, fc.constant('-')),
  );
  const line = fc.oneof(
    { weight: 4, arbitrary: good.map((fields) => fields.join('\t')) },
    fc.array(fc.oneof(text, number), { maxLength: 9 }).map((fields) => fields.join('\t')),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
      // In a network of its own, where nothing is asked but lo.
      const { status, stderr, stdout } = spawnSync('unshare', ['--net', program, '_probe'], {
        encoding: 'utf8',
        env: { ...process.env, ...env },
        input: `${lines.join('\n')}\n`,
      });
      const shown = `${JSON.stringify(lines)}: ${status}\n${stdout}${stderr}`;
      assert.doesNotMatch(stderr, /Sanitizer|runtime error/, shown);
      assert.ok(status === 0 || status === 2, shown);
      if (status === 2) assert.match(stderr, /^error\[USAGE\] [^\n]+\n$/, shown);
    }),
    { numRuns: rounds(60, 10) },
  );
});

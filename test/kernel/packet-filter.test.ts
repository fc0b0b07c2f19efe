// The words of filters that nslab compiles itself, attached in the kernel, held against tcpdump on all that passed: each lets through what
// tcpdump's lets through, no more and no less.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { IpAddress } from '../../src/base/ip.ts';
import { compileFilter, type Instruction, keepAll } from '../../src/kernel/packet-filter.ts';
import { throwawayNetns } from '../support/netns.ts';
import { builtNslab } from '../support/pinned-lab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

/** What the filters are about, and frames with a tag, which the sender has in the frame and the receiver beside it. */
const TRAFFIC = `
import socket, struct
for family, address in ((socket.AF_INET, '10.72.0.2'), (socket.AF_INET6, 'fd72::2')):
    u = socket.socket(family, socket.SOCK_DGRAM)
    u.bind(('', 5301))
    u.sendto(b'x', (address, 53))
    u.sendto(b'x' * 3000, (address, 5353))
    t = socket.socket(family, socket.SOCK_STREAM)
    try: t.connect((address, 80))
    except OSError: pass
p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
p.bind(('a0', 0))
for vlan in (5, 6):
    p.send(b'\\xff' * 6 + b'\\x02\\0\\0\\0\\0\\x09' + struct.pack('!HHH', 0x8100, vlan, 0x88b5) + b'tagged' * 10)
`;

const FILTERS = [
  'icmp',
  'icmp6',
  'arp',
  'ip',
  'ip6',
  'not ip6',
  'tcp',
  'udp',
  'port 53',
  'tcp port 80',
  'udp dst port 5353',
  'src port 5301',
  'host 10.72.0.2',
  'src host fd72::2',
  'net 10.72.0.0/30',
  'dst net fd72::/44',
  '(tcp or udp) and not port 53',
  'icmp or tcp and port 80',
  '!(ip || ip6)',
  // What libpcap compiles shifts all that follows a tag; these stand alone.
  'vlan',
  'vlan 5',
  'vlan 6',
];

type Running = { readonly child: ChildProcess; readonly ended: Promise<number | null> };

/** The helper, listening to the namespaces with the program. */
async function start(
  file: string,
  program: readonly Instruction[],
  netns: readonly string[],
): Promise<Running> {
  const helper = join(builtNslab(), '../../dist/nslab-helper');
  const child = spawn(helper, ['_capture', '--write', file], { stdio: ['pipe', 'ignore', 'pipe'] });
  const steps = program.map(({ code, jt, jf, k }) => `${code} ${jt} ${jf} ${k}`);
  const lines = ['ethernet', 'others'].flatMap((link) => [`filter ${link} ${steps.length}`, ...steps]);
  child.stdin.end(`${[...lines, ...netns.map((name) => `netns ${name} /run/netns/${name}`)].join('\n')}\n`);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes('capturing on')) resolve();
    });
    void ended.then(() => reject(new Error(said)));
  });
  return { child, ended };
}

/** The packets of a file, without their times: each capture has a clock of its own. */
function packetsOf(file: string, ...filter: string[]): string[] {
  const text = execFileSync('tcpdump', ['-n', '-e', '-t', '-r', file, ...filter], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // What the kernel sends by itself at any time: reports of multicast listeners.
  return text
    .split('\n')
    .filter((line) => !/ > ff02::16: /.test(line))
    .sort();
}

test('our words let through what tcpdump’s let through', async (t) => {
  if (skipUnlessRoot(t)) return;
  const folder = mkdtempSync(join(tmpdir(), 'nslab-filter-'));
  t.after(() => rmSync(folder, { recursive: true }));
  await using a = await throwawayNetns();
  await using b = await throwawayNetns();
  a.exec('ip', 'link', 'add', 'a0', 'type', 'veth', 'peer', 'name', 'b0', 'netns', b.name);
  for (const [netns, dev, number] of [
    [a, 'a0', 1],
    [b, 'b0', 2],
  ] as const) {
    netns.exec('ip', 'link', 'set', dev, 'addrgenmode', 'none');
    netns.exec('ip', 'addr', 'add', `10.72.0.${number}/24`, 'dev', dev);
    netns.exec('ip', 'addr', 'add', `fd72::${number}/64`, 'dev', dev, 'nodad');
    netns.exec('ip', 'link', 'set', dev, 'up');
  }
  const names = [a.name, b.name];
  const whole = join(folder, 'all');
  const running = [await start(whole, keepAll(65_535), names)];
  for (const [i, filter] of FILTERS.entries()) {
    const program = compileFilter(filter, { snaplen: 65_535, resolve: () => undefined });
    assert.ok(program !== undefined, filter);
    running.push(await start(join(folder, String(i)), program, names));
  }
  a.exec('ping', '-c', '1', '10.72.0.2');
  a.exec('ping', '-c', '1', 'fd72::2');
  a.exec('python3', '-c', TRAFFIC);
  for (const { child } of running) child.kill('SIGINT');
  assert.deepEqual([...new Set(await Promise.all(running.map(({ ended }) => ended)))], [0]);
  for (const [i, filter] of FILTERS.entries()) {
    const expected = packetsOf(whole, filter);
    assert.ok(expected.length > 1, `nothing was sent that is: ${filter}`);
    assert.deepEqual(packetsOf(join(folder, String(i))), expected, filter);
  }
});

test('what is not one of our words is nobody’s but tcpdump’s', () => {
  const resolve = (name: string): IpAddress[] | undefined =>
    name === 'pc1' ? (['10.0.0.1', 'fd00::1'] as IpAddress[]) : undefined;
  const compile = (text: string): number | undefined => compileFilter(text, { snaplen: 96, resolve })?.length;
  const unknown = [
    '',
    'icmp icmp',
    '(icmp',
    'icmp)',
    'not',
    'port http',
    'port 65536',
    'host pc2',
    'tcp[13] & 2 != 0',
  ];
  const more = [
    'ether host 02:00:00:00:00:01',
    'less 100',
    'vlan 4096',
    'net 10.0.0',
    'port 80 or 443',
    'and icmp',
  ];
  for (const text of [...unknown, ...more]) assert.equal(compile(text), undefined, text);
  assert.ok((compile('host pc1 and tcp') ?? 0) > 10);
  assert.equal(compile(Array.from({ length: 60 }, () => 'port 80').join(' or ')), undefined);
  assert.equal(compile('('.repeat(100)), undefined);
  assert.equal(compile('! '.repeat(100)), undefined);
});

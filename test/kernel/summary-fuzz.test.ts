// The lines of `nslab capture`, made with ASan and UBSan of packets that anybody may have sent: well-formed ones say what is in
// them, and whatever is cut off, changed or made up gives one line of printable ASCII that fits, and no report of a sanitizer.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { rounds } from '../support/emulated.ts';
import { buildSanitized } from '../support/sanitized-program.ts';

const sources = ['summary.c', 'summary-ip.c', 'summary-udp.c'];
let folder = '';
let program = '';

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'nslab-summary-fuzz-'));
  program = buildSanitized(folder, 'packet-summary', sources);
});
after(() => rmSync(folder, { recursive: true }));

type Case = {
  readonly bytes: Uint8Array;
  /** 0 Ethernet, 1 IP, 2 cooked. */
  readonly link?: number;
  readonly tag?: boolean;
  readonly protocol?: number;
  readonly room?: number;
};

function summaries(cases: readonly Case[]): string[] {
  const input = cases.map(({ bytes, link = 0, tag = false, protocol = 0, room = 1000 }) => {
    const head = Buffer.alloc(10);
    head.writeUInt32LE(bytes.length, 0);
    head.writeUInt8(link, 4);
    head.writeUInt8(tag ? 1 : 0, 5);
    head.writeUInt16LE(protocol, 6);
    head.writeUInt16LE(room, 8);
    return Buffer.concat([head, bytes]);
  });
  const { status, stdout, stderr } = spawnSync(program, {
    input: Buffer.concat(input),
    encoding: 'latin1',
    env: { ASAN_OPTIONS: 'detect_leaks=0' },
    maxBuffer: 64 << 20,
  });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout.split('\n').slice(0, -1);
}

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');
const be16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const MACS = hex('020000000002 020000000001');
const ethernet = (type: number, ...parts: Uint8Array[]): Buffer =>
  Buffer.concat([MACS, be16(type), ...parts]);

function ip4(protocol: number, payload: Uint8Array, fragment = 0): Buffer {
  const head = hex('4500 0000 1234 0000 3f00 0000 0a000102 0a000202');
  head.writeUInt16BE(20 + payload.length, 2);
  head.writeUInt16BE(fragment, 6);
  head.writeUInt8(protocol, 9);
  return Buffer.concat([head, payload]);
}

function ip6(next: number, payload: Uint8Array): Buffer {
  const head = hex('60000000 0000 00 40 fd000000000000000000000000000001 fd000000000000000000000000000002');
  head.writeUInt16BE(payload.length, 4);
  head.writeUInt8(next, 6);
  return Buffer.concat([head, payload]);
}

function udp(from: number, to: number, payload: Uint8Array): Buffer {
  return Buffer.concat([be16(from), be16(to), be16(8 + payload.length), be16(0), payload]);
}

const tcp = hex('1f90 0050 00000001 00000002 5012 ffff 0000 0000 68656c6c6f');
const echo = hex('0800 0000 0007 0001 61626364');
const arp = hex('0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002');
const question = hex('abcd 0100 0001 0000 0000 0000 03777777 076578616d706c65 00 0001 0001');
const answer = hex(
  'abcd 8180 0001 0001 0000 0000 03777777 076578616d706c65 00 0001 0001 c00c 0001 0001 0000003c 0004 0a000909',
);
const solicitation = hex('8700 0000 00000000 fd000000000000000000000000000002 0101 020000000001');

const samples: readonly (readonly [Case, RegExp])[] = [
  [{ bytes: ethernet(0x0806, arp) }, /^ARP who-has 10\.0\.0\.2 tell 10\.0\.0\.1$/],
  [
    { bytes: ethernet(0x0806, hex('0001 0800 06 04 0002 020000000001 0a000001 020000000002 0a000002')) },
    /^ARP 10\.0\.0\.1 is-at 02:00:00:00:00:01$/,
  ],
  [
    { bytes: ethernet(0x0800, ip4(1, echo)) },
    /^10\.0\.1\.2 > 10\.0\.2\.2 ICMP echo request id 7 seq 1 ttl 63 len 12$/,
  ],
  [
    {
      bytes: ethernet(
        0x0800,
        ip4(1, Buffer.concat([hex('0301 0000 00000000'), ip4(17, udp(5, 33434, hex('00')))])),
      ),
    },
    /ICMP host unreachable \(of 10\.0\.1\.2:5 > 10\.0\.2\.2:33434 UDP len 1\)$/,
  ],
  [
    { bytes: ip4(6, tcp), link: 1 },
    /^10\.0\.1\.2:8080 > 10\.0\.2\.2:80 TCP SYN,ACK seq 1 ack 2 win 65535 len 5$/,
  ],
  [{ bytes: ip6(6, tcp), link: 1 }, /^\[fd00::1\]:8080 > \[fd00::2\]:80 TCP SYN,ACK /],
  [{ bytes: ethernet(0x86dd, ip6(58, solicitation)) }, /ICMPv6 who-has fd00::2 from 02:00:00:00:00:01$/],
  [
    { bytes: ip6(0, Buffer.concat([hex('3a00 0502 0000 0100'), hex('8f00 0000 0000 0000')])), link: 1 },
    /listener report$/,
  ],
  [{ bytes: ip4(17, udp(4000, 53, question)), link: 1 }, /:4000 > 10\.0\.2\.2:53 UDP DNS A\? www\.example$/],
  [{ bytes: ip4(17, udp(53, 4000, answer)), link: 1 }, /UDP DNS answer A www\.example 10\.0\.9\.9$/],
  [
    {
      bytes: ethernet(
        0x0800,
        ip4(17, udp(1, 4789, Buffer.concat([hex('08000000 00000a00'), ethernet(0x0800, ip4(1, echo))]))),
      ),
    },
    /UDP VXLAN vni 10 \| 10\.0\.1\.2 > 10\.0\.2\.2 ICMP echo request/,
  ],
  [{ bytes: ethernet(0x8100, hex('000a 0806'), arp) }, /^vlan 10 ARP who-has/],
  [{ bytes: ethernet(0x0806, arp), tag: true }, /^vlan 7 ARP who-has/],
  [
    { bytes: ip4(47, Buffer.concat([hex('2000 0800 00000005'), ip4(1, echo)])), link: 1 },
    /GRE key 5 \| .*echo request/,
  ],
  [{ bytes: ip4(17, hex('00'), 0x00b9), link: 1 }, /fragment id 4660 offset 1480 len 1$/],
  [{ bytes: arp, link: 2, protocol: 0x0806 }, /^ARP who-has/],
  [{ bytes: ethernet(0x88cc) }, /^LLDP$/],
];

test('a line says what is in a packet', () => {
  const lines = summaries(samples.map(([one]) => one));
  for (const [i, [, expected]] of samples.entries()) assert.match(lines[i] ?? '', expected);
  assert.equal(lines.length, samples.length);
});

function assertHarmless(cases: readonly Case[]): void {
  const lines = summaries(cases);
  assert.equal(lines.length, cases.length);
  for (const [i, line] of lines.entries()) {
    assert.match(line, /^[\x20-\x7e]*$/);
    assert.ok(line.length < (cases[i]?.room ?? 1000));
  }
}

test('a packet that is cut off anywhere harms nothing', () => {
  assertHarmless(
    samples.flatMap(([one]) =>
      Array.from({ length: one.bytes.length + 1 }, (_, end) => ({
        ...one,
        bytes: one.bytes.subarray(0, end),
      })),
    ),
  );
});

test('whatever is changed or made up gives a line that is harmless and fits', () => {
  const changed = fc
    .tuple(
      fc.constantFrom(...samples.map(([one]) => one)),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }),
      fc.integer({ min: 1, max: 200 }),
    )
    .map(([one, changes, room]): Case => {
      const bytes = Buffer.from(one.bytes);
      for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
      return { ...one, bytes, room };
    });
  const madeUp = fc.record({
    bytes: fc.uint8Array({ maxLength: 120 }),
    link: fc.nat(2),
    tag: fc.boolean(),
    protocol: fc.constantFrom(0x0800, 0x86dd, 0x0806, 0x8100, 0x8847, 4, 0xffff),
    room: fc.integer({ min: 1, max: 300 }),
  });
  // Packets in packets in packets, deeper than anybody looks.
  const nested = fc
    .array(fc.constantFrom('vlan', 'ipip', 'gre', 'vxlan', 'icmp', 'mpls'), { maxLength: 40 })
    .map((layers): Case => {
      let inside: Buffer = ip4(1, echo);
      for (const layer of layers) {
        if (layer === 'vlan')
          inside = ip4(47, Buffer.concat([hex('0000 6558'), ethernet(0x8100, hex('0001 0800'), inside)]));
        if (layer === 'ipip') inside = ip4(4, inside);
        if (layer === 'gre') inside = ip4(47, Buffer.concat([hex('0000 0800'), inside]));
        if (layer === 'vxlan')
          inside = ip4(17, udp(1, 4789, Buffer.concat([hex('08000000 00000a00'), ethernet(0x0800, inside)])));
        if (layer === 'icmp') inside = ip4(1, Buffer.concat([hex('0b00 0000 00000000'), inside]));
        if (layer === 'mpls') inside = ip4(47, Buffer.concat([hex('0000 8847 00001140'), inside]));
      }
      return { bytes: inside, link: 1 };
    });
  fc.assert(
    // Many at a time: a program with the sanitizers takes long to start.
    fc.property(
      fc.array(fc.oneof(changed, madeUp, nested), { minLength: 400, maxLength: 400 }),
      assertHarmless,
    ),
    { numRuns: rounds(30, 3) },
  );
});

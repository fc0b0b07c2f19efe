// Archives that mean harm (src/helper/tar-place.h says what guards against them): each is refused with one line, or is
// harmless in the way told here, and never is anything outside of the folder touched. At the end arbitrary ones, with ASan
// and UBSan.

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { rounds } from '../support/emulated.ts';
import { helper, type LayerPlace, layerPlace } from '../support/layers.ts';
import { sanitizedNslab } from '../support/pinned-lab.ts';
import { helperPath } from '../support/program-writer.ts';
import { skipUnlessRoot } from '../support/skip.ts';
import {
  archive,
  dir,
  entry,
  file,
  hardLink,
  header,
  long,
  oldSparse,
  type PaxRecords,
  padded,
  pax,
  type Segments,
  symlink,
  withChecksum,
} from '../support/tar-writer.ts';
import { assertSameTree, describeTree } from '../support/tree.ts';

function kernelTest(title: string, body: (t: TestContext) => void): void {
  test(title, (t) => {
    if (!skipUnlessRoot(t)) body(t);
  });
}

type Hostile = {
  readonly title: string;
  /** `out` is the path of the files that nobody may touch, without its first slash. */
  readonly parts: (out: string) => Uint8Array[];
  readonly options?: readonly string[];
} & (
  | {
      readonly code: 'ARCHIVE_BROKEN' | 'ARCHIVE_REFUSED' | 'ARCHIVE_LIMIT' | 'HOST_REFUSED';
      readonly says: RegExp;
    }
  /** Names and kinds of what it makes. */
  | { readonly makes: readonly string[] }
);

const above = '../'.repeat(20);
const big = 'x'.repeat(70_000);

/** One entry that a pax header says something of. */
function withPax(records: PaxRecords | string): () => Uint8Array[] {
  return () => [pax(records), file('x', 'x')];
}

/** One sparse file of the version 1.0 with that map. */
function sparse10(map: string, content = 'abc', size = '10'): () => Uint8Array[] {
  const records: PaxRecords = [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.realsize', size],
  ];
  return () => [pax(records), file('x', Buffer.concat([padded(map), Buffer.from(content)]))];
}

const oldMap =
  (segments: Segments, content = 'abcdef'): (() => Uint8Array[]) =>
  () => [oldSparse('x', 40, segments, content)];
const broken = (says: RegExp) => ({ code: 'ARCHIVE_BROKEN', says }) as const;
const refused = (says: RegExp) => ({ code: 'ARCHIVE_REFUSED', says }) as const;
const limit = (says: RegExp) => ({ code: 'ARCHIVE_LIMIT', says }) as const;

const hostile: readonly Hostile[] = [
  // Names.
  { title: '../x', parts: () => [file('../outside/x')], ...refused(/leads out/) },
  { title: 'a/../../x', parts: () => [dir('a'), file('a/../../outside/x')], ...refused(/leads out/) },
  { title: '..', parts: () => [dir('..')], ...refused(/leads out/) },
  {
    title: 'an absolute name is one inside',
    parts: () => [file('/outside/x', 'x')],
    makes: ['outside dir', 'outside/x file'],
  },
  {
    title: 'the absolute path of what is outside',
    parts: (out) => [file(`/${out}/secret`, 'x')],
    makes: ['tmp dir'],
  },
  { title: 'the root as a file', parts: () => [file('./.', 'x')], ...refused(/replace the root/) },
  { title: 'no name', parts: () => [file('', 'x')], ...refused(/replace the root/) },
  {
    title: 'a component of 256 bytes',
    parts: () => [long('L', 'n'.repeat(256)), file('x')],
    code: 'HOST_REFUSED',
    says: /File name too long/,
  },
  {
    title: 'a name of 4096 bytes',
    parts: () => [long('L', 'nnnnnnn/'.repeat(512)), file('x')],
    ...limit(/./),
  },
  {
    title: 'a pax name of 5000 bytes',
    parts: withPax([['path', 'n/'.repeat(2500)]]),
    ...limit(/more than 4095 bytes/),
  },
  { title: 'a long name of 1 GB', parts: () => [entry({ type: 'L', size: 1 << 30 })], ...limit(/allowed/) },
  { title: 'a name with a NUL', parts: withPax([['path', 'a\0b']]), ...broken(/NUL/) },
  {
    title: 'control characters',
    parts: () => [file('../\x1b]0;x\x07')],
    ...refused(/"\.\.\/\\x1b\]0;x\\x07"/),
  },
  {
    title: '600 directories',
    parts: () => [long('L', 'd/'.repeat(600)), dir('x')],
    ...limit(/more than 512 directories/),
  },
  {
    title: 'directories made deeper through links',
    parts: () =>
      Array.from({ length: 8 }, (_, i) => [
        long('L', `${i === 0 ? '' : `l${i - 1}/`}${'d/'.repeat(100)}`),
        dir('x'),
        long('K', `${i === 0 ? '' : `l${i - 1}/`}${'d/'.repeat(100)}`),
        symlink(`l${i}`, 'x'),
      ]).flat(),
    ...limit(/more than 512 directories/),
  },
  // Links.
  {
    title: 'writing through a link that leads out',
    parts: () => [symlink('l', `${above}outside`), file('l/secret', 'x')],
    ...refused(/a link to nothing/),
  },
  {
    title: 'writing through an absolute link',
    parts: (out) => [symlink('l', `/${out}`), file('l/secret', 'x')],
    ...refused(/a link to nothing/),
  },
  {
    title: 'writing over a link',
    parts: (out) => [symlink('l', `/${out}/secret`), file('l', 'x')],
    makes: ['l file'],
  },
  {
    title: 'a directory over a link',
    parts: (out) => [symlink('l', `/${out}`), dir('l', { mode: 0o777, uid: 9 }), file('l/secret')],
    makes: ['l dir', 'l/secret file'],
  },
  {
    title: 'a directory replaced by a link',
    parts: (out) => [dir('d'), file('d/a'), symlink('d', `/${out}`), file('d/secret', 'x')],
    ...refused(/a link to nothing/),
  },
  {
    title: 'a directory replaced by a link to another one',
    parts: () => [dir('e'), dir('d', { mtime: 1 }), symlink('d', 'e'), file('d/x')],
    makes: ['d link', 'e dir', 'e/x file'],
  },
  {
    title: 'a link to itself',
    parts: () => [symlink('l', 'l'), file('l/x')],
    code: 'HOST_REFUSED',
    says: /Too many levels/,
  },
  { title: 'a link to nothing', parts: () => [symlink('l', '')], ...broken(/link to nothing/) },
  { title: 'below a file', parts: () => [file('f'), file('f/x')], ...refused(/no directory/) },
  {
    title: 'a hard link outside',
    parts: () => [hardLink('h', `${above}outside/secret`)],
    ...refused(/leads out/),
  },
  {
    title: 'an absolute hard link',
    parts: (out) => [hardLink('h', `/${out}/secret`), file('h', 'x')],
    ...refused(/not in the archive/),
  },
  {
    title: 'a hard link through a chain of links',
    parts: (out) => [symlink('a', `/${out}`), symlink('b', 'a'), hardLink('h', 'b/secret')],
    ...refused(/not in the archive/),
  },
  {
    title: 'a hard link to a link is the link',
    parts: (out) => [symlink('a', `/${out}/secret`), hardLink('h', 'a'), file('h', 'x')],
    makes: ['a link', 'h file'],
  },
  {
    title: 'a hard link to a directory',
    parts: () => [dir('d'), hardLink('h', 'd')],
    ...refused(/to the directory/),
  },
  { title: 'a hard link to the root', parts: () => [hardLink('h', '/')], ...refused(/not in the archive/) },
  { title: 'a hard link to itself', parts: () => [file('h', 'x'), hardLink('h', './h')], makes: ['h file'] },
  {
    title: 'a hard link to what it replaces',
    parts: () => [dir('d'), file('d/x'), hardLink('d', 'd/x')],
    code: 'HOST_REFUSED',
    says: /No such file/,
  },
  // Whiteouts.
  { title: '.wh.', parts: () => [file('.wh.')], ...refused(/whiteout of no name/) },
  { title: '.wh..', parts: () => [file('.wh..')], ...refused(/whiteout of no name/) },
  { title: '.wh...', parts: () => [file('a/.wh...')], ...refused(/whiteout of no name/) },
  { title: 'a/.wh.../x', parts: () => [file('a/.wh.../x')], ...refused(/below a whiteout/) },
  { title: '../.wh.outside', parts: () => [file('../.wh.outside')], ...refused(/leads out/) },
  {
    title: 'a whiteout through a link',
    parts: (out) => [symlink('l', `/${out}`), file('l/.wh.secret')],
    ...refused(/a link to nothing/),
  },
  {
    title: 'an opaque link',
    parts: (out) => [symlink('l', `/${out}`), file('l/.wh..wh..opq')],
    ...refused(/a link to nothing/),
  },
  {
    title: 'a whiteout below a whiteout',
    parts: () => [file('.wh.a'), file('a/.wh.b'), file('a/b/.wh..wh..opq')],
    makes: ['a whiteout'],
  },
  {
    title: 'a whiteout of what the layer has',
    parts: () => [file('a', 'x'), file('.wh.a')],
    makes: ['a file'],
  },
  {
    title: 'a hard link to a whiteout',
    parts: () => [file('.wh.a'), hardLink('h', 'a')],
    ...refused(/not in the archive/),
  },
  {
    title: 'a device 0:0 is a whiteout',
    parts: () => [entry({ name: 'a', type: '3', major: 0, minor: 0 })],
    options: ['--no-devices'],
    makes: ['a whiteout'],
  },
  // Devices.
  {
    title: 'a character device where none is allowed',
    parts: () => [entry({ name: 'd', type: '3', major: 1, minor: 1 })],
    options: ['--no-devices'],
    ...refused(/a device/),
  },
  {
    title: 'a block device where none is allowed',
    parts: () => [entry({ name: 'd', type: '4', major: 8, minor: 0 })],
    options: ['--no-devices'],
    ...refused(/a device/),
  },
  {
    title: 'a fifo where no device is allowed',
    parts: () => [entry({ name: 'f', type: '6' })],
    options: ['--no-devices'],
    makes: ['f fifo'],
  },
  {
    title: 'a device number that does not fit',
    parts: () => [entry({ name: 'd', type: '3', major: 4096, minor: 1 })],
    ...broken(/device number is out of range/),
  },
  // Limits.
  {
    title: 'more entries than allowed',
    parts: () => [file('a'), file('b'), file('c')],
    options: ['--max-entries', '2'],
    ...limit(/more than 2 entries/),
  },
  {
    title: 'more bytes than allowed',
    parts: () => [file('a', 'xx'), file('b', 'xx')],
    options: ['--max-bytes', '3'],
    ...limit(/more than 3 bytes/),
  },
  {
    title: 'a size that is a lie',
    parts: () => [file('a', '', { size: 1n << 50n })],
    ...limit(/more than 1099511627776 bytes/),
  },
  {
    title: 'a sparse file of 8 EB',
    parts: () => [
      pax([
        ['GNU.sparse.size', '9223372036854775807'],
        ['GNU.sparse.map', '0,1'],
      ]),
      file('x', 'x'),
    ],
    ...limit(/bytes of files/),
  },
  {
    title: 'a sparse file that is over a limit of its own',
    parts: () => [oldSparse('x', 1000, [[0, 1]], 'x')],
    options: ['--max-bytes', '999'],
    ...limit(/999 bytes/),
  },
  {
    title: 'more behind the end than allowed',
    parts: () => [Buffer.alloc(100_000)],
    options: ['--max-bytes', '1000'],
    ...limit(/follows the end/),
  },
  {
    title: 'a pax header of more than 1 MiB',
    parts: () => [entry({ type: 'x', size: (1 << 20) + 1 })],
    ...limit(/pax header of 1048577 bytes/),
  },
  {
    title: 'an extended attribute of more than 64 KiB',
    parts: withPax([['SCHILY.xattr.trusted.x', big]]),
    ...limit(/extended attribute of 70000/),
  },
  {
    title: 'a long name of an extended attribute',
    parts: withPax([[`SCHILY.xattr.trusted.${big.slice(0, 300)}`, 'x']]),
    ...limit(/name of an extended attribute/),
  },
  {
    title: 'headers without end for one entry',
    parts: () => Array.from({ length: 30 }, () => pax([['uid', '1']])),
    ...limit(/more than 16 headers/),
  },
  {
    title: 'more global records than allowed',
    parts: () => [
      pax(
        Array.from({ length: 600 }, (_, i) => [`k${i}`, 'v'] as const),
        'g',
      ),
    ],
    ...limit(/global pax records/),
  },
  // Numbers.
  {
    title: 'a negative size',
    parts: () => [file('x', '', { size: -1n })],
    ...broken(/size is out of range/),
  },
  {
    title: 'a size of 95 bits',
    parts: () => [file('x', '', { size: Buffer.from(`80${'ff'.repeat(11)}`, 'hex') })],
    ...broken(/does not fit/),
  },
  { title: 'a negative pax size', parts: withPax([['size', '-1']]), ...broken(/no number in range/) },
  {
    title: 'a pax size of 2^63',
    parts: withPax([['size', '9223372036854775808']]),
    ...broken(/no number in range/),
  },
  {
    title: 'a pax size of 2^64 + 1',
    parts: withPax([['size', '18446744073709551617']]),
    ...broken(/no number in range/),
  },
  { title: 'a negative owner', parts: () => [file('x', '', { uid: -1n })], ...broken(/uid is out of range/) },
  {
    title: 'the owner that chown(2) ignores',
    parts: withPax([['uid', '4294967295']]),
    ...broken(/no number in range/),
  },
  {
    title: 'an owner of 33 bits',
    parts: () => [file('x', '', { gid: 1n << 32n })],
    ...broken(/gid is out of range/),
  },
  {
    title: 'no digits',
    parts: () => [file('x', '', { mode: 'rwxr-x' })],
    ...broken(/mode is no octal number/),
  },
  {
    title: 'decimal digits',
    parts: () => [file('x', '', { size: '00000000009\0' })],
    ...broken(/size is no octal number/),
  },
  { title: 'a time that is none', parts: withPax([['mtime', '1.2.3']]), ...broken(/no number in range/) },
  // Form.
  { title: 'a wrong checksum', parts: () => [file('x', '', { checksum: 1 })], ...broken(/checksum/) },
  { title: 'garbage', parts: () => [Buffer.alloc(512, 'garbage')], ...broken(/checksum/) },
  {
    title: 'one block of zeros in between',
    parts: () => [file('a'), Buffer.alloc(512), file('b')],
    ...broken(/garbage/),
  },
  { title: 'an unknown type', parts: () => [entry({ type: 'Z' })], ...broken(/type 90/) },
  { title: 'a pax record that is too long', parts: withPax('99 path=x\n'), ...broken(/malformed/) },
  { title: 'a pax record that is too short', parts: withPax('5 path=x\n'), ...broken(/malformed/) },
  { title: 'a pax record without a length', parts: withPax('path=x\n'), ...broken(/malformed/) },
  {
    title: 'a pax record with a length of 2^64',
    parts: withPax('18446744073709551616 path=x\n'),
    ...broken(/malformed/),
  },
  { title: 'a pax record without a key', parts: withPax('6 =xx\n'), ...broken(/no key/) },
  { title: 'a pax record without a value', parts: withPax('7 path\n'), ...broken(/no key/) },
  {
    title: 'a pax header before the end',
    parts: () => [file('x'), pax([['path', 'y']])],
    ...broken(/belongs to a next entry/),
  },
  {
    title: 'an attribute without a name',
    parts: withPax([['SCHILY.xattr.', 'x']]),
    ...broken(/without a name/),
  },
  // Sparse maps.
  {
    title: 'a map out of order',
    parts: oldMap([
      [10, 3],
      [0, 3],
    ]),
    ...broken(/out of order/),
  },
  {
    title: 'a map that overlaps',
    parts: oldMap([
      [0, 3],
      [2, 3],
    ]),
    ...broken(/overlaps/),
  },
  {
    title: 'a map longer than the file',
    parts: oldMap([
      [0, 3],
      [38, 3],
    ]),
    ...broken(/longer than the file/),
  },
  {
    title: 'a map that wraps around',
    parts: () => [
      oldSparse('x', 40, [[0, 3]], 'abc'),
      pax([
        ['GNU.sparse.size', '40'],
        ['GNU.sparse.map', '9223372036854775807,9223372036854775807'],
      ]),
      file('y', 'abc'),
    ],
    ...broken(/longer than the file/),
  },
  { title: 'a map of less than there is', parts: oldMap([[0, 3]]), ...broken(/add up/) },
  {
    title: 'a map of more than there is',
    parts: oldMap([
      [0, 3],
      [10, 4],
    ]),
    ...broken(/add up/),
  },
  {
    title: 'a map 0.1 with an odd number',
    parts: () => [
      pax([
        ['GNU.sparse.size', '9'],
        ['GNU.sparse.map', '0,1,2'],
      ]),
      file('x', 'x'),
    ],
    ...broken(/without a size/),
  },
  {
    title: 'a map 0.0 with two offsets',
    parts: () => [
      pax([
        ['GNU.sparse.size', '9'],
        ['GNU.sparse.numblocks', '1'],
        ['GNU.sparse.offset', '1'],
        ['GNU.sparse.offset', '1'],
      ]),
      file('x', 'x'),
    ],
    ...broken(/without a size/),
  },
  {
    title: 'a map 1.0 that is cut off',
    parts: sparse10(`300\n${'0\n'.repeat(254)}`, ''),
    ...broken(/cut off/),
  },
  { title: 'a map 1.0 of no numbers', parts: sparse10('one\n'), ...broken(/no number/) },
  { title: 'a map 1.0 without line ends', parts: sparse10('1'.repeat(512)), ...broken(/no number where/) },
  {
    title: 'a map 1.0 of 10^18 segments',
    parts: sparse10('1000000000000000000\n0\n0\n'),
    ...broken(/no number|cut off/),
  },
  {
    title: 'a sparse version that nobody knows',
    parts: () => [
      pax([
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '1'],
      ]),
      file('x', 'x'),
    ],
    ...refused(/version/),
  },
];

function unpack(
  place: LayerPlace,
  bytes: Uint8Array,
  options: readonly string[] = [],
  program?: string,
): { layer: string } & ReturnType<typeof helper> {
  const layer = place.make();
  return { layer, ...helper(['_unpack', ...options, layer], bytes, program) };
}

function assertOneLine(stderr: string, code: RegExp): void {
  assert.match(stderr, /^(warning: [^\n]+\n)*error\[[A-Z_]+\] [^\n]+\n$/);
  assert.match(stderr, code);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none of them reaches the terminal is what is tested
  assert.doesNotMatch(stderr, /[\x00-\x09\x0b-\x1f\x7f]/);
}

kernelTest('hostile archives are refused or harmless, and nothing outside is touched', () => {
  using place = layerPlace();
  const before = place.outsideNow();
  for (const one of hostile) {
    const { layer, status, stderr } = unpack(
      place,
      archive(...one.parts(place.outside.slice(1))),
      one.options,
    );
    const told = `${one.title}: ${status}\n${stderr}`;
    if ('code' in one) {
      assert.equal(status, one.code === 'HOST_REFUSED' ? 4 : 7, told);
      assertOneLine(stderr, new RegExp(`^error\\[${one.code}\\]`, 'm'));
      assert.match(stderr, one.says, told);
    } else {
      assert.equal(status, 0, told);
      const made = describeTree(layer, { xattrs: false }).map((line) =>
        line.split(' ').slice(0, 2).join(' '),
      );
      for (const line of one.makes) assert.ok(made.includes(line), `${told}\n${made.join('\n')}`);
    }
    assertSameTree(place.outsideNow(), before, one.title);
  }
});

kernelTest('an archive that is cut off anywhere but between entries is an error', () => {
  using place = layerPlace();
  const whole = archive(
    pax([['uid', '1']]),
    file('a', 'x'.repeat(600)),
    long('L', 'b'),
    dir('b'),
    oldSparse(
      's',
      90,
      [
        [0, 1],
        [5, 1],
        [7, 1],
        [9, 1],
        [11, 1],
      ],
      'abcde',
    ),
  );
  const between = [0, 512 * 5, 512 * 8, whole.length - 1024, whole.length - 512];
  for (let at = 0; at < whole.length - 512; at += 128) {
    const { status, stderr } = unpack(place, whole.subarray(0, at));
    if (between.includes(at)) assert.equal(status, 0, `${at}: ${stderr}`);
    else assertOneLine(stderr, /ARCHIVE_BROKEN/);
  }
});

kernelTest('a million entries are the limit, unless another one is given', () => {
  using place = layerPlace();
  // One hard link after the other to itself: nothing is made.
  const link = hardLink('a', 'a');
  writeFileSync(join(place.folder, 'first'), file('a'));
  writeFileSync(join(place.folder, 'many'), Buffer.concat(Array.from({ length: 2000 }, () => link)));
  const script = `cat first $(yes many | head -n 501) | "$1" _unpack "$2" 2>&1 || echo "$?"`;
  const said = place.sh(script, helperPath(), place.make());
  assert.equal(said, 'error[ARCHIVE_LIMIT] entry "a": more than 1000000 entries\n7\n');
});

kernelTest('files copied into a root through its links stay in it', () => {
  using place = layerPlace();
  const before = place.outsideNow();
  const root = place.make('root');
  place.sh(
    `mkdir root/dir; ln -s "$1" root/abs; ln -s ../outside root/rel; ln -s ../outside/secret root/dir/secret; ln -s ../abs/folder root/dir/folder; mkdir root/proc; mount -t proc proc root/proc; ln -s /proc/1/root root/magic`,
    place.outside,
  );
  try {
    for (const path of [
      '/',
      '/dir',
      '/abs',
      '/rel',
      '/magic',
      '/proc/1/root',
      '/proc/self/cwd',
      '/../outside',
      '/dir/folder',
    ]) {
      for (const part of [
        file('secret', 'x'),
        file('folder/x', 'x'),
        file('abs/secret', 'x'),
        file('magic/x', 'x'),
        hardLink('h', 'rel/secret'),
        file('.wh.secret'),
      ]) {
        const { status, stderr } = helper(['_tar-in', root, path], archive(part));
        assert.ok(status === 0 || status === 4 || status === 7, `${status} ${stderr}`);
        assertSameTree(place.outsideNow(), before, path);
        assert.ok(
          !/secret'? *\n.*secret/.test(
            helper(['_tar-out', root, `${path}/secret`]).stdout.toString('latin1'),
          ),
        );
      }
    }
    const out = helper(['_tar-out', root, '/rel/secret']);
    assert.equal(out.status, 4, 'what the link leads to is not in the root');
    const all = helper(['_tar-out', root, '/']);
    assert.equal(all.status, 0, all.stderr);
    assert.ok(all.stdout.length < 100_000, 'nothing of /proc is read');
  } finally {
    place.sh('umount root/proc');
  }
});

kernelTest('no bytes make the reader do anything but unpack or refuse', () => {
  using place = layerPlace();
  const program = join(sanitizedNslab(), '../../dist/nslab-helper');
  const before = place.outsideNow();
  const out = place.outside.slice(1);
  const samples = hostile.map(({ parts }) => archive(...parts(out))).filter(({ length }) => length < 200_000);
  const change = fc.tuple(
    fc.nat(),
    fc.oneof(fc.nat(255), fc.constantFrom(0, 0x20, 0x2f, 0x30, 0x37, 0x80, 0xff)),
  );
  const text = fc.constantFrom('\n', '99999999999 ', '=', '../', '/', ',', '.wh.', '\0', '-1');
  const mutated = fc
    .tuple(
      fc.constantFrom(...samples),
      fc.constantFrom(...samples),
      fc.array(change, { maxLength: 6 }),
      fc.option(fc.tuple(fc.nat(), text)),
      fc.nat(3),
    )
    .map(([one, other, changes, insert, how]) => {
      const bytes = Buffer.concat([one.subarray(0, -1024), other]);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      if (insert !== null) bytes.write(insert[1], insert[0] % bytes.length, 'latin1');
      // Most of the headers are right again, or nothing but the checksum would be tested.
      for (let at = 0; at + 512 <= bytes.length && how > 0; at += 512) {
        const block = bytes.subarray(at, at + 512);
        if (block.includes('ustar', 257)) withChecksum(block);
      }
      return bytes;
    });
  const free = fc
    .uint8Array({ maxLength: 2000 })
    .map((bytes) => Buffer.concat([header({ name: 'a' }), bytes]));
  fc.assert(
    fc.property(fc.oneof({ weight: 9, arbitrary: mutated }, free), (bytes) => {
      const { layer, status, stderr } = unpack(
        place,
        bytes,
        ['--max-bytes', '1000000', '--max-entries', '1000'],
        program,
      );
      assert.doesNotMatch(stderr, /Sanitizer|runtime error/);
      assert.ok(status === 0 || status === 4 || status === 7, `${status}\n${stderr}`);
      if (status !== 0) assertOneLine(stderr, /^(error|warning)/);
      assertSameTree(place.outsideNow(), before);
      rmSync(layer, { recursive: true });
    }),
    { numRuns: rounds(250, 25) },
  );
});

// Layers into overlayfs' form and back (src/helper/tar-*.c), against GNU tar and Python's tarfile: what they write is
// unpacked as GNU tar unpacks it, and what is packed is read by both. What is hostile is in layer-hostile.test.ts.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { rounds } from '../support/emulated.ts';
import { helper, helperOk, type LayerPlace, layerPlace } from '../support/layers.ts';
import { sanitizedNslab } from '../support/pinned-lab.ts';
import { helperPath } from '../support/program-writer.ts';
import { skipUnlessRoot } from '../support/skip.ts';
import {
  archive,
  dir,
  entry,
  file,
  type HeaderFields,
  hardLink,
  long,
  oldSparse,
  type PaxRecords,
  pax,
  symlink,
} from '../support/tar-writer.ts';
import { assertSameTree, describeTree } from '../support/tree.ts';

function kernelTest(title: string, body: (t: TestContext) => void): void {
  test(title, (t) => {
    if (!skipUnlessRoot(t)) body(t);
  });
}

/** One of everything that an archive can have. The long names have 2 x 200 bytes and more. */
const EVERYTHING = `
  cd src; mkdir -p a/b/c d empty
  echo hello >a/file; ln a/file d/hard; ln -s ../a/file d/sym; ln d/sym d/symhard; ln -s /nowhere/at/all d/dangling
  mkfifo d/fifo; mknod d/null c 1 3; mknod d/loop b 7 259; : >d/nothing
  head -c 300000 /dev/urandom >d/big
  name=$(printf 'n%.0s' $(seq 200)); mkdir -p $name/$name; echo deep >$name/$name/x; ln -s $name/$name/$name d/longlink
  ln $name/$name/x d/longhard; echo u >'sp ace é
newline'
  setfattr -n trusted.test -v 'a=b' a/file; setfattr -n trusted.zero -v 0x00ff0a3d00 a
  setfattr -h -n trusted.link -v on d/sym; setfattr -n 'trusted.eq=%3D' -v x d/big; setcap cap_net_raw+ep d/big
  chown 1234:5678 a/file d; chown -h 70000:3000000 d/sym; chmod 4711 a/file; chmod 2775 d; chmod 1777 a/b; chmod 0 d/nothing; chmod 5751 d/fifo; chmod 1640 d/null
  chown 4294967294:4294967294 empty
  touch -d '2001-02-03 04:05:06.789012345' a/file; touch -h -d '1999-12-31 23:59:59.5' d/sym; touch -d '2033-01-01' a/b a d empty
`;

/** Runs the script, after making two sparse files, one of them with many holes. */
function makeEverything(place: LayerPlace, more = ''): void {
  const folder = place.make('src');
  for (const [name, step] of [
    ['sparse', 1_000_000],
    ['many', 100_000],
  ] as const) {
    const fd = openSync(join(folder, name), 'w');
    for (let at = 100; at < 3 << 20; at += step) writeSync(fd, 'x', at);
    ftruncateSync(fd, 4 << 20);
    closeSync(fd);
  }
  place.sh(`${EVERYTHING}\n${more}`);
}

/** Unpacks with the helper and with GNU tar and compares the two. */
function compare(place: LayerPlace, tar: string, ...words: string[]): void {
  const ours = place.make();
  const theirs = place.make();
  helperOk(['_unpack', ours], readFileSync(tar));
  execFileSync('tar', ['xpf', tar, '--numeric-owner', '--same-owner', ...words, '-C', theirs], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // Directories that no entry tells of get the time 0, and with GNU tar the time of the day.
  const told = (line: string): boolean => !/^x.* dir 755 0:0 /.test(line);
  assertSameTree(describeTree(ours).filter(told), describeTree(theirs).filter(told));
}

const XATTRS = ['--xattrs', '--xattrs-include=*'];

kernelTest('an archive of GNU tar in pax format is unpacked with all it has', () => {
  using place = layerPlace();
  makeEverything(place, `tar cf ../all.tar --format=pax ${XATTRS.map((word) => `'${word}'`).join(' ')} .`);
  const tar = join(place.folder, 'all.tar');
  compare(place, tar, ...XATTRS);
  // Against the source too, lest both of them forget the same.
  const layer = place.make();
  helperOk(['_unpack', layer], readFileSync(tar));
  assertSameTree(
    describeTree(layer, { root: true }),
    describeTree(join(place.folder, 'src'), { root: true }),
  );
});

kernelTest('archives of GNU tar in the other formats are unpacked as it unpacks them', () => {
  using place = layerPlace();
  makeEverything(place);
  for (const format of ['gnu', 'oldgnu', 'ustar', 'v7']) {
    const tar = join(place.folder, `${format}.tar`);
    // The old formats have no room for large numbers; v7 has neither fifos nor devices nor long names.
    const fit = format === 'gnu' || format === 'oldgnu' ? '' : `--owner=12 --group=34 --exclude='n*n'`;
    const v7 = format === 'v7' ? '--exclude=d/fifo --exclude=d/null --exclude=d/loop --exclude=d/long*' : '';
    const ustar = format === 'ustar' ? '--exclude=d/long*' : '';
    place.sh(`tar cf "$1" --format=${format} ${fit} ${v7} ${ustar} -C src .`, tar);
    compare(place, tar);
  }
});

kernelTest('sparse files stay sparse in all forms that GNU tar writes', () => {
  using place = layerPlace();
  makeEverything(place);
  for (const form of ['gnu', 'pax:0.0', 'pax:0.1', 'pax:1.0']) {
    const [format, version] = form.split(':');
    const tar = join(place.folder, `${form}.tar`);
    const words = version === undefined ? '' : `--sparse-version=${version}`;
    place.sh(`tar cSf "$1" --format=${format} ${words} -C src sparse many`, tar);
    compare(place, tar);
    const layer = place.make();
    helperOk(['_unpack', layer], readFileSync(tar));
    assert.ok(statSync(join(layer, 'sparse')).blocks * 512 < 100_000, form);
    assert.equal(statSync(join(layer, 'sparse')).size, 4 << 20);
  }
});

const PYTHON = `
import io, sys, tarfile
out, kind = sys.argv[1], sys.argv[2]
tar = tarfile.open(out, 'w', format=getattr(tarfile, kind + '_FORMAT'))
def add(name, type=tarfile.REGTYPE, data=b'', **more):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mtime, info.uid, info.gid, info.mode = type, len(data), 1234567890.25, 70, 80, 0o640
    for key, value in more.items(): setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))
long = '/'.join(['x' * 90] * (2 if kind == 'USTAR' else 10))
add('dir', tarfile.DIRTYPE, mode=0o2755)
add('dir/file', data=b'data' * 1000, mtime=-3 if kind != 'USTAR' else 3)
add('dir/hard', tarfile.LNKTYPE, linkname='dir/file')
add('dir/sym', tarfile.SYMTYPE, linkname='../x')
add('dir/null', tarfile.CHRTYPE, devmajor=1, devminor=3)
add('dir/fifo', tarfile.FIFOTYPE)
add(long, data=b'long')
if kind != 'USTAR':
    add('dir/longlink', tarfile.LNKTYPE, linkname=long)
    add('big-ids', uid=3000000000, gid=2500000)
    add('n\\u00e4me', data=b'utf8')
tar.close()
`;

kernelTest('archives of Python’s tarfile are unpacked as GNU tar unpacks them', () => {
  using place = layerPlace();
  for (const kind of ['PAX', 'GNU', 'USTAR']) {
    const tar = join(place.folder, `${kind}.tar`);
    execFileSync('python3', ['-c', PYTHON, tar, kind]);
    compare(place, tar);
  }
});

kernelTest('GNU tar and Python read what is packed, with all it has', () => {
  using place = layerPlace();
  makeEverything(place);
  const source = join(place.folder, 'src');
  const tar = join(place.folder, 'packed.tar');
  writeFileSync(tar, helperOk(['_export', source]));
  const back = place.make();
  execFileSync('tar', ['xpf', tar, '--numeric-owner', '--same-owner', ...XATTRS, '-C', back]);
  assertSameTree(describeTree(back, { root: true }), describeTree(source, { root: true }));
  const script = `import sys, tarfile; print(*sorted(m.name for m in tarfile.open(sys.argv[1])), sep='\\0', end='')`;
  const names = execFileSync('python3', ['-c', script, tar], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONUTF8: '1' },
  });
  const found = place.sh(`cd src; find . -printf '%P\\0'`).split('\0');
  assertSameTree(
    names.split('\0').sort(),
    found
      .map((name) => name || '.')
      .slice(0, -1)
      .sort(),
  );
});

kernelTest('a layer is the same when packed, unpacked and packed again', () => {
  using place = layerPlace();
  makeEverything(
    place,
    `mknod gone c 0 0; mknod d/gone c 0 0; setfattr -n trusted.overlay.opaque -v y a
    setfattr -n trusted.overlay.origin -v 0x00 a/file; setfattr -n trusted.overlay.impure -v y d
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'`,
  );
  const source = join(place.folder, 'src');
  const first = helperOk(['_pack', source]);
  const layer = place.make();
  const said = helperOk(['_unpack', layer], first).toString();
  assert.match(said, /^bytes=\d+ entries=\d+\n$/);
  assert.ok(first.equals(helperOk(['_pack', layer])), 'not the same bytes');
  assert.ok(first.equals(helperOk(['_pack', source])), 'not deterministic');
  const own = / ?trusted\.overlay\.(origin|impure)=\S+/g;
  const before = describeTree(source).filter((line) => !line.startsWith('socket '));
  assertSameTree(
    describeTree(layer),
    before.map((line) => line.replace(own, '')),
  );
  const names = execFileSync('tar', ['tf', '-'], { input: first, encoding: 'utf8' }).split('\n');
  assert.deepEqual(names.slice(0, 5), ['./', '.wh.gone', 'a/', 'a/.wh..wh..opq', 'a/b/']);
  assert.ok(names.indexOf('d/.wh.gone') < names.indexOf('d/big'));
});

kernelTest('an overlay of unpacked layers hides what whiteouts and opaque directories hide', () => {
  using place = layerPlace();
  const [lower, upper, merged] = [place.make(), place.make(), place.make()];
  helperOk(
    ['_unpack', lower],
    archive(
      dir('etc'),
      file('etc/old', 'old'),
      file('etc/kept', 'kept'),
      dir('opt/app'),
      file('opt/app/one', '1'),
      file('opt/app/two', '2'),
      dir('tmp/dir'),
      file('tmp/dir/x', 'x'),
      file('swap', 'file'),
      dir('turn'),
      file('turn/in', 'in'),
    ),
  );
  helperOk(
    ['_unpack', upper],
    archive(
      // The mark of an opaque directory after what is in it: the order does not matter.
      file('etc/.wh.old'),
      file('opt/app/three', '3'),
      file('opt/app/.wh..wh..opq'),
      file('tmp/.wh.dir'),
      // A whiteout and a directory of one name: what was below is hidden, in both orders.
      file('.wh.turn'),
      file('turn/new', 'new'),
      dir('swap'),
      file('swap/in', 'in'),
      file('.wh..wh.aufs', 'aufs'),
      dir('.wh..wh.plnk'),
      file('.wh..wh.plnk/1.2', 'aufs'),
    ),
  );
  place.sh(`mount -t overlay -o "lowerdir=$2:$1" none "$3"`, lower, upper, merged);
  const names = place.sh(`find "$1" -type f -printf '%P\\n' | sort; umount "$1"`, merged);
  assert.deepEqual(names.trim().split('\n'), ['etc/kept', 'opt/app/three', 'swap/in', 'turn/new']);
  assert.ok(!describeTree(upper).some((line) => line.includes('aufs')));
});

kernelTest('an upper directory of a real overlay is packed to the layer that it is', () => {
  using place = layerPlace();
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => place.make(name));
  helperOk(
    ['_unpack', lower ?? ''],
    archive(dir('a'), file('a/x', 'x'), file('a/y', 'y'), dir('b'), file('b/z'), file('f', 'f')),
  );
  place.sh(`mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work,redirect_dir=off,metacopy=off none merged
    cd merged; rm a/x f; rm -r b; mkdir b; echo new >b/new; mkdir c; echo c >c/c; rm -r c; mkdir c; echo d >c/d; chown 5:6 a/y`);
  const layer = helperOk(['_pack', upper ?? '', '--lower', lower ?? '']);
  const names = execFileSync('tar', ['tf', '-'], { input: layer, encoding: 'utf8' }).trim().split('\n');
  assert.deepEqual(names, [
    './',
    '.wh.f',
    'a/',
    'a/.wh.x',
    'a/y',
    'b/',
    'b/.wh..wh..opq',
    'b/new',
    'c/',
    'c/d',
  ]);
  const again = place.make();
  helperOk(['_unpack', again], layer);
  const second = place.make();
  place.sh(`mount -t overlay -o "lowerdir=$1:lower" none "$2"`, again, second);
  assertSameTree(describeTree(second), describeTree(merged ?? ''));
  place.sh('umount merged "$1"', second);
  assert.ok(work !== undefined);
});

kernelTest('an opaque directory is told of only where a lower layer shows one', () => {
  using place = layerPlace();
  const [upper, top, bottom] = [place.make(), place.make(), place.make()];
  place.sh(
    `for name in in-bottom hidden file none in-opaque/sub; do mkdir -p "$1/$name"; setfattr -n trusted.overlay.opaque -v y "$1/$name"; done
    mkdir -p "$3/in-bottom" "$3/hidden" "$3/file" "$3/in-opaque/sub" "$2/in-opaque"; mknod "$2/hidden" c 0 0; : >"$2/file"
    setfattr -n trusted.overlay.opaque -v y "$2/in-opaque"`,
    upper,
    top,
    bottom,
  );
  const marks = (...words: string[]): string[] =>
    execFileSync('tar', ['tf', '-'], { input: helperOk(['_pack', upper, ...words]), encoding: 'utf8' })
      .split('\n')
      .filter((name) => name.endsWith('.opq'));
  assert.deepEqual(marks('--lower', top, '--lower', bottom), ['in-bottom/.wh..wh..opq']);
  assert.equal(marks('--lower', bottom).length, 4);
  assert.equal(marks().length, 5, 'it cannot know');
});

kernelTest('what overlayfs keeps elsewhere is not packed as if it were there', () => {
  using place = layerPlace();
  const upper = place.make();
  place.sh(`mkdir "$1/dir"; setfattr -n trusted.overlay.redirect -v /old "$1/dir"`, upper);
  const { status, stderr } = helper(['_pack', upper]);
  assert.equal(status, 7);
  assert.match(stderr, /^error\[ARCHIVE_REFUSED\] entry "dir": the attribute "trusted\.overlay\.redirect"/);
});

kernelTest('a file that is named like a whiteout is left out of a layer', () => {
  using place = layerPlace();
  const upper = place.make();
  place.sh(`: >"$1/.wh.passwd"; : >"$1/x"`, upper);
  const { stdout, stderr } = helper(['_pack', upper]);
  assert.match(stderr, /^warning: ".wh.passwd" is left out/);
  assert.equal(execFileSync('tar', ['tf', '-'], { input: stdout, encoding: 'utf8' }), './\nx\n');
});

/** The only line of the tree that one entry makes. */
function unpackOne(place: LayerPlace, ...parts: Buffer[]): string {
  const layer = place.make();
  helperOk(['_unpack', layer], archive(...parts));
  return describeTree(layer).join('\n');
}

kernelTest('pax records are taken before the header, those of the entry before global ones', () => {
  using place = layerPlace();
  const one = (records: PaxRecords, fields: HeaderFields = {}, global: PaxRecords = []): string =>
    unpackOne(place, pax(global, 'g'), pax(records), entry({ name: 'name', uid: 1, gid: 2, ...fields }, 'x'));
  const is = (line: string, start: string): void => assert.ok(line.startsWith(start), `${line}\n${start}`);
  is(one([['path', 'other']]), 'other file 644 1:2 1000000000000000000 ');
  is(
    one([
      ['uid', '7'],
      ['gid', '4294967294'],
    ]),
    'name file 644 7:4294967294 ',
  );
  is(one([['mtime', '1.5']]), 'name file 644 1:2 1500000000 ');
  is(one([['mtime', '-1.25']]), 'name file 644 1:2 -1250000000 ');
  is(one([['mtime', '12.123456789987']]), 'name file 644 1:2 12123456789 ');
  is(
    one([['uid', '7']], {}, [
      ['uid', '8'],
      ['gid', '9'],
    ]),
    'name file 644 7:9 ',
  );
  is(one([['uid', '']], {}, [['uid', '8']]), 'name file 644 1:2 ');
  is(one([['size', '1']], { size: 0 }), 'name file 644 1:2 ');
  is(one([], { mtime: -5n, uid: 2_000_000_000n }), 'name file 644 2000000000:2 -5000000000 ');
  is(
    one([
      ['SCHILY.xattr.trusted.a', 'v'],
      ['SCHILY.xattr.trusted.overlay.opaque', 'y'],
      ['SCHILY.xattr.user.overlay.x', 'y'],
    ]),
    'name file 644 1:2',
  );
  assert.match(one([['SCHILY.xattr.trusted.a', 'v']]), / trusted\.a=0x76$/);
  assert.match(one([['SCHILY.xattr.trusted.overlay.opaque', 'y']]), / 1$/);
});

kernelTest('long names of GNU tar, prefixes of ustar and directories of v7 are read', () => {
  using place = layerPlace();
  const name = `${'d'.repeat(120)}/${'f'.repeat(250)}`;
  assert.ok(unpackOne(place, long('L', name), file('short', 'x')).includes(`\n${name} file`));
  assert.ok(unpackOne(place, long('K', name), symlink('link', 'short')).endsWith(`-> ${name}`));
  assert.match(
    unpackOne(place, file('f', '', { prefix: 'pre/fix' })),
    /^pre dir .*\npre\/fix dir .*\npre\/fix\/f file/,
  );
  assert.match(unpackOne(place, file('f', '', { prefix: 'pre', magic: 'gnu' })), /^f file/);
  assert.match(
    unpackOne(place, entry({ name: 'dir/', type: '\0', magic: 'v7', mode: 0o700 })),
    /^dir dir 700/,
  );
  const odd = [
    [1, 1],
    [3, 2],
    [10, 1],
    [20, 1],
    [30, 1],
    [40, 0],
  ] as const;
  assert.match(unpackOne(place, oldSparse('s', 40, odd, 'abcdef')), /^s file .* 40$/);
});

kernelTest('names are relative to the layer, and their directories are made', () => {
  using place = layerPlace();
  assert.match(unpackOne(place, file('/etc//./x/../passwd', 'x')), /^etc dir 755 0:0 0\netc\/passwd file/);
});

kernelTest('links in the middle of a path are followed inside the layer', () => {
  using place = layerPlace();
  const layer = place.make();
  helperOk(
    ['_unpack', layer],
    archive(
      dir('usr/lib'),
      symlink('lib', '/usr/lib'),
      file('lib/x', 'x'),
      symlink('up', '../../../usr'),
      file('up/lib/y', 'y'),
      hardLink('up/z', 'lib/x'),
      file('lib/.wh.gone'),
      file('up/.wh..wh..opq'),
    ),
  );
  const names = describeTree(layer).map((line) => line.split(' ').slice(0, 2).join(' '));
  assert.deepEqual(names, [
    'lib link',
    'up link',
    'usr dir',
    'usr/lib dir',
    'usr/lib/gone whiteout',
    'usr/lib/x file',
    'usr/lib/y file',
    'usr/z file',
  ]);
  assert.match(place.sh(`getfattr -d -m - "$1/usr"`, layer), /trusted\.overlay\.opaque="y"/);
});

kernelTest('a later entry replaces an earlier one of the same name', () => {
  using place = layerPlace();
  const line = unpackOne(
    place,
    file('x', 'file'),
    dir('x'),
    file('x/deep/er', 'y'),
    symlink('x', '/etc'),
    file('x', 'last', { mode: 0o600 }),
    dir('d', { mode: 0o700 }),
    file('d/f'),
    dir('d', { mode: 0o711, mtime: 5 }),
  );
  assert.match(line, /^d dir 711 0:0 5000000000\nd\/f file .*\nx file 600 0:0 \d+ \w+ 4$/);
});

kernelTest('directories keep their times whatever is put into them later', () => {
  using place = layerPlace();
  const parts = [
    dir('.', { mtime: 7 }),
    dir('a', { mtime: 1 }),
    dir('a/b', { mtime: 2 }),
    file('a/b/c', '', { mtime: 3 }),
  ];
  const layer = place.make();
  helperOk(['_unpack', layer], archive(...parts, file('a/x', '', { mtime: 4 }), file('implied/x')));
  const times = describeTree(layer, { root: true }).map((line) => line.split(' ')[4]);
  assert.deepEqual(times, [
    '7000000000',
    '1000000000',
    '2000000000',
    '3000000000',
    '4000000000',
    '0',
    '1000000000000000000',
  ]);
});

kernelTest('files in a set-group-ID directory and below a default ACL are as the archive says', () => {
  using place = layerPlace();
  // Version 2, entries (tag, permissions, id): user, group, mask, other. linux/posix_acl_xattr.h.
  const acl = Buffer.from('0200000001000700ffffffff04000500ffffffff10000700ffffffff20000000ffffffff', 'hex');
  const line = unpackOne(
    place,
    dir('g', { mode: 0o2775, gid: 50 }),
    file('g/f', ''),
    dir('g/d'),
    pax([['SCHILY.xattr.system.posix_acl_default', acl]]),
    dir('acl'),
    file('acl/f', '', { mode: 0o666 }),
  );
  assert.match(
    line,
    /\nacl\/f file 666 0:0 \d+ \w+ 0\ng dir 2775 0:50 \d+\ng\/d dir 755 0:0 \d+\ng\/f file 644 0:0 /,
  );
});

kernelTest('an empty archive is one, with and without its zeros', () => {
  using place = layerPlace();
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(512), Buffer.alloc(1024), Buffer.alloc(10240)]) {
    assert.equal(helperOk(['_unpack', place.make()], bytes).toString(), 'bytes=0 entries=0\n');
  }
});

kernelTest('the last block need not be filled, as umoci insert leaves it', () => {
  using place = layerPlace();
  const whole = archive(file('x', 'x'.repeat(700)));
  const contents = 512 + 700;
  assert.equal(
    helperOk(['_unpack', place.make()], whole.subarray(0, contents)).toString(),
    'bytes=700 entries=1\n',
  );
  assert.notEqual(helper(['_unpack', place.make()], whole.subarray(0, contents - 1)).status, 0);
  assert.notEqual(helper(['_unpack', place.make()], whole.subarray(0, contents + 1)).status, 0);
});

kernelTest('the archive is read to its end, past the zeros', () => {
  using place = layerPlace();
  // The writer would die of SIGPIPE: it sends far more than a pipe holds.
  const script = `(cat "$1"; head -c 5000000 /dev/zero && echo sent >sent) | "$2" _unpack "$3"; cat sent`;
  writeFileSync(join(place.folder, 'a.tar'), archive(file('x', 'x')));
  assert.equal(place.sh(script, 'a.tar', helperPath(), place.make()), 'bytes=1 entries=1\nsent\n');
});

kernelTest('a folder that is not empty and words that are none are refused', () => {
  using place = layerPlace();
  const layer = place.make();
  writeFileSync(join(layer, 'x'), '');
  const cases: [string[], number, RegExp][] = [
    [['_unpack', layer], 2, /is not empty/],
    [['_unpack', join(place.folder, 'missing')], 4, /No such file/],
    [['_unpack'], 2, /one folder is wanted/],
    [['_unpack', '--max-bytes', 'x', layer], 2, /a number is wanted/],
    [['_unpack', '--max-entries'], 2, /a number is wanted/],
    [['_unpack', '--odd', layer], 2, /unknown option "--odd"/],
    [['_pack'], 2, /one folder is wanted/],
    [['_pack', layer, '--lower'], 2, /unknown option/],
    [['_pack', layer, '--lower', '/no/such'], 4, /No such file/],
    [['_tar-in', layer], 2, /a root and a path/],
    [['_tar-in', layer, '/nowhere'], 4, /No such file/],
    [['_tar-out', layer, '/nowhere'], 4, /No such file/],
  ];
  for (const [words, status, text] of cases) {
    const result = helper(words);
    assert.equal(result.status, status, words.join(' '));
    assert.match(result.stderr, text);
  }
});

kernelTest('memory stays flat, however big the layer is', () => {
  using place = layerPlace();
  const layer = place.make();
  const header = file('big', '', { size: 400_000_000 });
  writeFileSync(join(place.folder, 'head'), header);
  const script = `{ cat head; head -c 400001024 /dev/zero; } | "$1" _unpack "$2"`;
  // 4 MB of memory that can be written: setrlimit(2), RLIMIT_DATA.
  place.sh(`ulimit -d 4096; ${script}`, helperPath(), layer);
  assert.equal(lstatSync(join(layer, 'big')).size, 400_000_000);
});

kernelTest('files are copied out of a root and into another as docker cp does', () => {
  using place = layerPlace();
  makeEverything(place);
  const source = join(place.folder, 'src');
  const names = (path: string): string[] =>
    execFileSync('tar', ['tf', '-'], { input: helperOk(['_tar-out', source, path]), encoding: 'utf8' })
      .trim()
      .split('\n');
  assert.deepEqual(names('/a/b'), ['b/', 'b/c/']);
  assert.deepEqual(names('a/b/.'), ['./', 'c/']);
  assert.deepEqual(names('/d/sym'), ['sym']);
  assert.equal(names('/').length, names('.').length);
  const root = place.make();
  const whole = helperOk(['_tar-out', source, '/']);
  helperOk(['_tar-in', root, '/'], whole);
  assertSameTree(describeTree(root), describeTree(source));
  place.sh(`ln -s /a "$1/to-a"; ln -s ../../../outside "$1/out"; echo .wh >"$1/.wh.x"`, root);
  helperOk(
    ['_tar-in', root, '/to-a/../to-a'],
    archive(file('.wh.name', 'kept'), file('new', 'n'), hardLink('hard', 'new')),
  );
  assert.equal(readFileSync(join(root, 'a/.wh.name'), 'utf8'), 'kept');
  assert.equal(lstatSync(join(root, 'a/hard')).nlink, 2);
  assert.equal(
    helper(['_tar-in', root, '/out'], archive(file('x'))).status,
    4,
    'the link leads to nothing inside the root',
  );
  for (const [bad, text] of [
    [file('b'), /would replace a directory/],
    [dir('file'), /the directory would replace something else/],
    [file('../x'), /leads out/],
  ] as const) {
    const { status, stderr } = helper(['_tar-in', root, '/a'], archive(bad));
    assert.equal(status, 7);
    assert.match(stderr, text);
  }
});

kernelTest('a file that something is mounted on is written, and what is mounted is not exported', () => {
  using place = layerPlace();
  const [root, other] = [place.make('root'), place.make('other')];
  place.sh(`mkdir root/etc root/vol; echo below >root/etc/hosts; echo mounted >other/hosts; echo deep >other/deep
    mount --bind other/hosts root/etc/hosts; mount --bind other root/vol`);
  try {
    const all = (words: string[]): string =>
      execFileSync('tar', ['tf', '-'], { input: helperOk(words), encoding: 'utf8' })
        .trim()
        .replaceAll('\n', ' ');
    assert.equal(all(['_export', root]), './ etc/ etc/hosts vol/');
    assert.equal(all(['_tar-out', root, '/.']), './ etc/ etc/hosts vol/ vol/deep vol/hosts');
    helperOk(['_tar-in', root, '/etc'], archive(file('hosts', 'new')));
    assert.equal(readFileSync(join(other, 'hosts'), 'utf8'), 'new');
  } finally {
    place.sh('umount root/vol root/etc/hosts');
  }
});

// A random tree, as a script that makes it.
const word = fc.oneof(
  fc.stringMatching(/^[a-z]{1,3}$/),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map((text) => text.replace(/[\0/]/g, '_')),
  fc.nat({ max: 254 }).map((length) => 'x'.repeat(length + 1)),
  fc.constantFrom('.wh', '.x', ' ', '-', '..x'),
);
type Node = {
  readonly name: string;
  readonly kind: string;
  readonly mode: number;
  readonly id: number;
  readonly time: number;
  readonly text: string;
  readonly below: readonly Node[];
};
const kinds = ['file', 'file', 'link', 'hard', 'fifo', 'device', 'whiteout'] as const;

function nodes(depth: number): fc.Arbitrary<readonly Node[]> {
  const node = fc.record({
    name: word.filter((name) => name !== '.' && name !== '..' && !name.startsWith('.wh.')),
    kind: depth === 0 ? fc.constantFrom(...kinds) : fc.constantFrom(...kinds, 'dir', 'dir', 'dir', 'opaque'),
    mode: fc.nat(0o7777),
    id: fc.oneof(fc.constantFrom(0, 0o7777777, 0o10000000), fc.nat(0xffff_fffe)),
    time: fc.oneof(fc.constant(0), fc.integer({ min: -0x7fff_ffff, max: 0x7fff_ffff })),
    text: fc.string({ maxLength: 600 }),
    below: depth === 0 ? fc.constant([]) : nodes(depth - 1),
  });
  return fc.array(node, { maxLength: 4 });
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function makeTree(tree: readonly Node[], path: string, lines: string[], files: string[]): void {
  const seen = new Set<string>();
  for (const { name, kind, mode, id, time, text, below } of tree) {
    if (Buffer.byteLength(name) > 255 || seen.has(name)) continue;
    seen.add(name);
    const at = quote(`${path}/${name}`);
    const first = files[0];
    if (kind === 'whiteout') {
      lines.push(`mknod ${at} c 0 0`);
      continue;
    }
    if (kind === 'hard' && first !== undefined) {
      lines.push(`ln ${first} ${at}`);
      continue;
    }
    if (kind === 'dir' || kind === 'opaque') lines.push(`mkdir ${at}`);
    else if (kind === 'link') lines.push(`ln -s ${quote(text === '' ? 'x' : `./${text}`)} ${at}`);
    else if (kind === 'fifo') lines.push(`mkfifo ${at}`);
    else if (kind === 'device') lines.push(`mknod ${at} b ${(id % 250) + 1} ${id % 256}`);
    else lines.push(`printf %s ${quote(text)} >${at}`);
    if (kind === 'file' || kind === 'hard') files.push(at);
    if (kind === 'dir' || kind === 'opaque') makeTree(below, `${path}/${name}`, lines, files);
    lines.push(`chown -h ${id}:${id >>> 1} ${at}`);
    if (kind !== 'link') lines.push(`chmod ${mode.toString(8)} ${at}`);
    if (kind === 'opaque') lines.push(`setfattr -n trusted.overlay.opaque -v y ${at}`);
    if (text.length % 3 === 0)
      lines.push(`setfattr -h -n trusted.t${text.length} -v 0x${Buffer.from(text).toString('hex')} ${at}`);
    lines.push(`touch -h -d @${time}.${id % 1000} ${at}`);
  }
}

kernelTest('any tree is the same after packing and unpacking, and packs to the same bytes', () => {
  using place = layerPlace();
  const program = join(sanitizedNslab(), '../../dist/nslab-helper');
  let round = 0;
  fc.assert(
    fc.property(nodes(3), (some) => {
      const tree = place.make(`tree${round++}`);
      const lines: string[] = [];
      makeTree(some, '.', lines, []);
      execFileSync('sh', ['-e'], { cwd: tree, input: lines.join('\n'), stdio: ['pipe', 'ignore', 'pipe'] });
      const packed = helper(['_pack', tree], undefined, program);
      assert.equal(packed.status, 0, packed.stderr);
      const layer = `${tree}-back`;
      mkdirSync(layer);
      helperOk(['_unpack', layer], packed.stdout, program);
      assertSameTree(describeTree(layer), describeTree(tree));
      assert.ok(packed.stdout.equals(helperOk(['_pack', layer], undefined, program)));
      place.sh('rm -rf "$1" "$2"', tree, layer);
    }),
    { numRuns: rounds(60, 8) },
  );
});

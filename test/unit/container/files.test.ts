// What is read of the machine and of hostile root file systems: test of users.ts, env-file.ts, in-root.ts, volumes.ts, facts.ts.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { parseEnvFile } from '../../../src/container/env-file.ts';
import { parseLimits, readAccounts, readHostFacts, readProcessFacts } from '../../../src/container/facts.ts';
import { readInLayers } from '../../../src/container/in-root.ts';
import { findInLayers } from '../../../src/container/layers.ts';
import { lookupUser } from '../../../src/container/users.ts';
import { prepareVolume } from '../../../src/container/volumes.ts';

const top = mkdtempSync(join(tmpdir(), 'nslab-rootfs-'));
after(() => rmSync(top, { recursive: true, force: true }));
const root = join(top, 'root');
mkdirSync(join(root, 'etc'), { recursive: true });
writeFileSync(join(root, 'etc/real'), 'inside');
writeFileSync(join(top, 'secret'), 'outside');

describe('a file of a root file system', () => {
  const link = (target: string) => {
    const path = join(root, 'etc/link');
    rmSync(path, { force: true });
    symlinkSync(target, path);
  };

  it('is found behind links that the container would follow to it', () => {
    for (const target of ['real', '/etc/real', '../etc/./real', '../../../../etc/real', '/../etc//real']) {
      link(target);
      assert.equal(readInLayers([root], '/etc/link'), 'inside', target);
    }
  });

  it('is never one of the machine, wherever a link points', () => {
    for (const target of [join(top, 'secret'), '../../secret', '/proc/self/environ', '/dev/zero']) {
      link(target);
      assert.equal(readInLayers([root], '/etc/link'), undefined, target);
    }
    rmSync(join(root, 'etc/link'));
    symlinkSync(top, join(root, 'out'));
    assert.equal(findInLayers([root], '/out/secret'), undefined);
    assert.equal(findInLayers([root], '/../secret'), undefined);
  });

  it('is refused when it is a FIFO, a folder, too long, or a circle of links', () => {
    execFileSync('mkfifo', [join(root, 'etc/fifo')]);
    assert.throws(() => readInLayers([root], '/etc/fifo'), /not an ordinary file/);
    assert.throws(() => readInLayers([root], '/etc'), /not an ordinary file/);
    writeFileSync(join(root, 'etc/long'), Buffer.alloc((1 << 20) + 1));
    assert.throws(() => readInLayers([root], '/etc/long'), /more than 1048576 bytes/);
    symlinkSync('b', join(root, 'etc/a'));
    symlinkSync('a', join(root, 'etc/b'));
    assert.throws(() => readInLayers([root], '/etc/a'), /too many symbolic links/);
    rmSync(join(root, 'etc/long'));
  });

  it('that is not there is none; accounts are empty then, and a hostile one is told', () => {
    assert.equal(readInLayers([root], '/etc/passwd'), undefined);
    assert.deepEqual(readAccounts([root]), { passwd: '', group: '' });
    symlinkSync('fifo', join(root, 'etc/group'));
    assert.throws(() => readAccounts([root]), {
      code: 'CONTAINER_USER',
      message: /\/etc\/group cannot be read/,
    });
    rmSync(join(root, 'etc/group'));
  });
});

describe('a user', () => {
  const accounts = {
    passwd: [
      'root:x:0:0:root:/root:/bin/sh',
      'bad line',
      'evil:x:-1:0::/:',
      'huge:x:4294967296:0::/:',
      '#no:x:5:5::/:',
      '1000:x:7:8::/seven:',
      'www:x:33:33::/var/www:',
      'rel:x:34:34::../..:',
    ].join('\n'),
    group: 'root:x:0:\nwww:x:33:www\nadm:x:4:www,x\nlog:x:5:x,www\nbroken:x:z:www\n1000:x:9:\n',
  };
  const found = (text: string) => {
    const { uid, gid, groups, home } = lookupUser(text, accounts);
    return [uid, gid, groups, home];
  };

  it('is found by name and by number, with the groups it is in', () => {
    assert.deepEqual(found('root'), [0, 0, [], '/root']);
    assert.deepEqual(found('www'), [33, 33, [4, 5], '/var/www']);
    assert.deepEqual(found('33'), [33, 33, [4, 5], '/var/www']);
    // As runc has it: digits are a number, also where the file calls somebody else so.
    assert.deepEqual(found('1000'), [1000, 0, [], '/']);
    assert.deepEqual(found('rel'), [34, 34, [], '/']);
  });

  it('has only the group that is given with it', () => {
    assert.deepEqual(found('www:adm'), [33, 4, [], '/var/www']);
    assert.deepEqual(found('www:77'), [33, 77, [], '/var/www']);
    assert.deepEqual(found('5000:1000'), [5000, 1000, [], '/']);
  });

  it('may be a number that no file has', () => {
    assert.deepEqual(found('5000'), [5000, 0, [], '/']);
    assert.deepEqual(lookupUser('12:13', { passwd: '', group: '' }), {
      uid: 12,
      gid: 13,
      groups: [],
      home: '/',
    });
  });

  it('that is not there, or whose entry is broken, is refused', () => {
    for (const text of ['nobody', 'evil', 'huge', '#no', '0x10', 'www:nogroup', 'www:broken']) {
      if (text === '#no') assert.throws(() => found(text), { code: 'VALUE_INVALID' });
      else assert.throws(() => found(text), { code: 'CONTAINER_USER' }, text);
    }
    for (const text of ['', ':', '1:', ':1', '-1', '4294967295', '1:2:3', '../x', 'a b']) {
      assert.throws(() => found(text), { code: 'VALUE_INVALID' }, text);
    }
  });

  it('never becomes an exception of another kind, whatever the files have', () => {
    const noise = fc.string({ unit: fc.constantFrom(':', '\n', '0', '9', 'a', ',', '-', '#', '\0') });
    fc.assert(
      fc.property(noise, noise, (passwd, group) => {
        try {
          const { uid, gid } = lookupUser('a', { passwd, group });
          assert.ok(uid >= 0 && uid < 0xffff_ffff && gid >= 0 && gid < 0xffff_ffff);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'CONTAINER_USER');
        }
      }),
    );
  });
});

describe('a file of variables', () => {
  it('has comments, quotes, escapes and names alone', () => {
    const text = [
      '\uFEFFA=1',
      '',
      '# note',
      '  B = two words  # note',
      "C='a $b # c' # note",
      'D="x\\ny\\"z"',
      'export E=e=f',
      'F',
      'G=',
      'H=a#b',
    ].join('\r\n');
    assert.deepEqual(parseEnvFile(text), {
      ok: true,
      value: [
        ['A', '1'],
        ['B', 'two words'],
        ['C', 'a $b # c'],
        ['D', 'x\ny"z'],
        ['E', 'e=f'],
        ['F', undefined],
        ['G', ''],
        ['H', 'a#b'],
      ],
    });
  });

  it('is told the line of a mistake', () => {
    assert.deepEqual(parseEnvFile('A=1\n=x'), { ok: false, error: 'has a bad name in line 2' });
    assert.deepEqual(parseEnvFile('A="x'), { ok: false, error: 'has a quote that never ends in line 1' });
  });
});

describe('a volume', () => {
  const volume = { path: join(top, 'volumes/data'), target: '/srv/link', copy: true, named: true };

  it('begins with what the root file system has there, and is left alone afterwards', () => {
    mkdirSync(join(root, 'srv/real'), { recursive: true, mode: 0o750 });
    writeFileSync(join(root, 'srv/real/file'), 'seed');
    symlinkSync(join(top, 'secret'), join(root, 'srv/real/away'));
    symlinkSync('/srv/real', join(root, 'srv/link'));
    prepareVolume(volume, [root]);
    assert.equal(readFileSync(join(volume.path, 'file'), 'utf8'), 'seed');
    assert.equal(readlinkSync(join(volume.path, 'away')), join(top, 'secret'));
    assert.equal(statSync(volume.path).mode & 0o777, 0o750);
    writeFileSync(join(volume.path, 'file'), 'changed');
    prepareVolume(volume, [root]);
    assert.equal(readFileSync(join(volume.path, 'file'), 'utf8'), 'changed');
  });

  it('is empty where there is nothing, where a link leads out, or when no copy is wanted', () => {
    for (const [name, target, copy] of [
      ['none', '/nowhere', true],
      ['out', '/out', true],
      ['nocopy', '/srv/real', false],
    ] as const) {
      const path = join(top, 'volumes', name);
      prepareVolume({ path, target, copy, named: true }, [root]);
      assert.deepEqual(execFileSync('ls', ['-A', path], { encoding: 'utf8' }), '', name);
    }
  });
});

describe('facts of this machine', () => {
  it('are the bounding set and the hard limits that the kernel tells', () => {
    const { capabilities, hardLimits } = readProcessFacts();
    const status = readFileSync('/proc/self/status', 'latin1');
    assert.ok(status.includes(`CapBnd:\t${capabilities.toString(16).padStart(16, '0')}`));
    assert.equal(hardLimits.size, 16);
    assert.deepEqual(
      [
        ...parseLimits(
          'Max open files            1024                 20000                files     \nMax cpu time unlimited unlimited seconds\n',
        ),
      ],
      [
        ['RLIMIT_NOFILE', 20000],
        ['RLIMIT_CPU', -1],
      ],
    );
  });

  it('are the devices that a file names, and an error for what is none', () => {
    const node = (devices: string[]) =>
      ({ name: 'a', place: null, container: { rootfs: 'host', options: { devices } } }) as never;
    const places = { folder: top, env: {} };
    const facts = readHostFacts([node(['/dev/null:/dev/nothing'])], places);
    assert.deepEqual(facts.devices.get('/dev/null')?.[0], {
      path: '/dev/null',
      type: 'c',
      major: 1,
      minor: 3,
      fileMode: statSync('/dev/null').mode & 0o7777,
      uid: 0,
      gid: 0,
    });
    assert.throws(() => readHostFacts([node(['/dev/no-such'])], places), { code: 'CONTAINER_DEVICE' });
    assert.throws(() => readHostFacts([node(['/etc/passwd'])], places), { code: 'CONTAINER_DEVICE' });
  });

  it('are folders and files that must be there', () => {
    const facts = (rootfs: string, options: object) =>
      readHostFacts([{ name: 'a', place: null, container: { rootfs, options } } as never], {
        folder: top,
        env: {},
      });
    assert.throws(() => facts('./none', {}), { code: 'CONTAINER_ROOTFS' });
    assert.throws(() => facts('./secret', {}), { code: 'CONTAINER_ROOTFS' });
    assert.throws(() => facts('./root', { binds: ['./none:/x'] }), { code: 'CONTAINER_FILE' });
    assert.throws(() => facts('./root', { env_files: 'none' }), { code: 'CONTAINER_FILE' });
    assert.throws(() => facts('./root', { env_files: '/dev/zero' }), { code: 'CONTAINER_FILE' });
    assert.equal(facts('./root', { env_files: 'secret' }).envFiles.get(join(top, 'secret')), 'outside');
  });
});

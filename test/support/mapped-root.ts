// A root file system that can be mounted with the ids of a user namespace, whatever this machine's own files are on (of a virtual
// machine they may be an overlay, which cannot): a few programs with their libraries, on a tmpfs, or on ext4 before Linux 6.3.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { release, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

const programs = [
  'sh',
  'bash',
  'cat',
  'chmod',
  'chown',
  'grep',
  'head',
  'hostname',
  'id',
  'ip',
  'ls',
  'mkdir',
  'mknod',
  'mount',
  'ping',
  'readlink',
  'sleep',
  'stat',
  'touch',
  'true',
  'uname',
  'unshare',
];

export type MappedRoot = Disposable & { readonly folder: string };

/** Owned by root as an unpacked image would be, with accounts of its own and a file of somebody else's. */
export function mappedRoot(): MappedRoot {
  const folder = mkdtempSync(join(tmpdir(), 'nslab-root-'));
  const image = `${folder}.ext4`;
  if (hasMappedTmpfs()) execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'nslab-test', folder]);
  else makeExt4(image, folder);
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root', 'home'])
    mkdirSync(join(folder, name));
  chmodSync(join(folder, 'tmp'), 0o1777);
  for (const link of ['usr/bin', 'usr/sbin', 'sbin']) {
    mkdirSync(join(folder, dirname(link)), { recursive: true });
    symlinkSync('/bin', join(folder, link));
  }
  copyPrograms(folder);
  writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/home:/bin/sh\n');
  writeFileSync(join(folder, 'etc/group'), 'root:x:0:\nwww-data:x:33:\nweb:x:44:www-data\n');
  writeFileSync(join(folder, 'home/page'), 'hello\n');
  chownSync(join(folder, 'home/page'), 33, 44);
  return {
    folder,
    [Symbol.dispose]: () => {
      execFileSync('umount', ['-l', folder]);
      rmdirSync(folder);
      rmSync(image, { force: true });
    },
  };
}

/** Whether a tmpfs takes idmapped mounts: since Linux 6.3. */
export function hasMappedTmpfs(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 3);
}

/** Mounts a new ext4 that lies in the file. */
export function makeExt4(image: string, at: string): void {
  execFileSync('truncate', ['-s', '96M', image]);
  execFileSync('mkfs.ext4', ['-q', image]);
  execFileSync('mount', ['-o', 'loop', image, at]);
}

/** With their libraries; two commands for all of them, since an emulated machine takes seconds for one. */
function copyPrograms(root: string): void {
  const paths = lines('bash', ['-c', `type -P ${programs.join(' ')}`]);
  for (const path of paths) copyFileSync(path, join(root, 'bin', basename(path)));
  const libraries = lines('ldd', paths).flatMap(
    (line) => /(?:^|=> )(\/[^\s:]+)(?: \(|$)/.exec(line.trim())?.[1] ?? [],
  );
  for (const library of new Set(libraries)) {
    const to = join(root, library);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(library, to);
  }
}

function lines(file: string, args: readonly string[]): string[] {
  return execFileSync(file, args, { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '');
}

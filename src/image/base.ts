// `image build-base`: a small image from the machine's own static busybox, so that lessons with images need no network. The same
// busybox makes the same image, byte for byte.

import { spawnSync } from 'node:child_process';
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import { NslabError } from '../base/error.ts';
import type { Digest } from './digest.ts';
import { importImage } from './import.ts';
import { hostPlatform } from './platform.ts';
import type { ImageStore } from './store.ts';
import { type TarItem, tarText, writeTar } from './tar-write.ts';

/** Debian's busybox-static puts it into /bin; initramfs-tools and others have one of their own. */
const places = [
  '/bin/busybox',
  '/usr/bin/busybox',
  '/sbin/busybox',
  '/usr/local/bin/busybox',
  '/bin/busybox.static',
];

/** Returns the digest of the image's manifest. @throws NslabError IMAGE_NO_BUSYBOX */
export async function buildBase(store: ImageStore, signal?: AbortSignal): Promise<Digest> {
  const busybox = places.find(isStaticProgram);
  if (busybox === undefined) {
    throw new NslabError('IMAGE_NO_BUSYBOX', 'there is no static busybox on this machine', {
      hint: 'apt-get install busybox-static',
    });
  }
  return await importImage(store, {
    source: writeTar(rootOf(busybox, appletsOf(busybox))),
    what: 'the base image',
    changes: ['CMD ["sh"]', 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    platform: hostPlatform(),
    created: '1970-01-01T00:00:00Z',
    createdBy: 'nslab image build-base',
    signal,
  });
}

function appletsOf(busybox: string): string[] {
  const { stdout, error } = spawnSync(busybox, ['--list'], { encoding: 'utf8', env: {} });
  if (error !== undefined) throw error;
  const names = stdout
    .split('\n')
    .filter((name) => /^[A-Za-z0-9_[.+-]{1,60}$/.test(name) && name !== 'busybox');
  return [...new Set(names)].sort();
}

function rootOf(busybox: string, applets: readonly string[]): TarItem[] {
  const folder = (path: string, mode: number): TarItem => ({ path, mode, folder: true });
  const open = [
    'bin',
    'dev',
    'etc',
    'home',
    'mnt',
    'proc',
    'run',
    'sbin',
    'srv',
    'sys',
    'usr',
    'usr/bin',
    'usr/sbin',
    'var',
  ];
  return [
    ...open.map((path) => folder(path, 0o755)),
    folder('root', 0o700),
    folder('tmp', 0o1777),
    folder('var/tmp', 0o1777),
    {
      path: 'bin/busybox',
      size: statSync(busybox).size,
      mode: 0o755,
      body: () => createReadStream(busybox),
    },
    ...applets.map((name): TarItem => ({ path: `bin/${name}`, symlink: 'busybox' })),
    // Where scripts look for it.
    { path: 'usr/bin/env', symlink: '../../bin/busybox' },
    tarText('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n'),
    tarText('etc/group', 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n'),
    tarText('etc/nsswitch.conf', 'hosts: files dns\n'),
  ];
}

// elf(5): Elf64_Ehdr and Elf64_Phdr, little endian.
const PT_INTERP = 3;

/** A program that needs no dynamic loader, which the image would not have. */
function isStaticProgram(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return false;
  }
  try {
    const head = Buffer.alloc(4096);
    const length = readSync(fd, head);
    if (length < 64 || head.toString('latin1', 0, 4) !== '\x7fELF' || head[4] !== 2 || head[5] !== 1)
      return false;
    const start = Number(head.readBigUInt64LE(32));
    const size = head.readUInt16LE(54);
    for (let i = 0; i < head.readUInt16LE(56); i++) {
      const at = start + i * size;
      if (at + 4 > length) return false;
      if (head.readUInt32LE(at) === PT_INTERP) return false;
    }
    return true;
  } finally {
    closeSync(fd);
  }
}

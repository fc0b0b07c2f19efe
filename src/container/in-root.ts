// Opens a file of a container's root file system without being led out of it: every component is looked at before it is used, links
// are followed as the container would see them, and only an ordinary file of bounded size is read. Node has no openat2(2)
// (RESOLVE_IN_ROOT), so what was opened is compared with the root once more, by the kernel's own word for it.

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
} from 'node:fs';
import { join } from 'node:path';

/** ELOOP of the kernel: path_resolution(7). */
const MAX_LINKS = 40;
/** Far above any passwd of an image, and nothing that exhausts memory. */
const MAX_BYTES = 1 << 20;

/** The path on the machine of what the container calls `path`, or undefined when it is not there. @throws Error in a circle */
export function resolveInRoot(root: string, path: string): string | undefined {
  const pending = path.split('/').reverse();
  const found: string[] = [];
  let links = 0;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      found.pop();
      continue;
    }
    const at = join(root, ...found, part);
    const stat = lstatSync(at, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (!stat.isSymbolicLink()) {
      if (pending.some((rest) => rest !== '') && !stat.isDirectory()) return undefined;
      found.push(part);
      continue;
    }
    if (++links > MAX_LINKS) throw new Error(`${path}: too many symbolic links`);
    const target = readlinkSync(at);
    if (target.startsWith('/')) found.length = 0;
    pending.push(...target.split('/').reverse());
  }
  return join(root, ...found);
}

/** The text of the file, or undefined when there is none. @throws Error for what is no ordinary file of at most 1 MiB */
export function readInRoot(root: string, path: string): string | undefined {
  const real = realpathSync.native(root);
  const at = resolveInRoot(real, path);
  if (at === undefined) return undefined;
  // A FIFO would wait for a writer, and a link was put there since it was looked at.
  const fd = openSync(at, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const opened = readlinkSync(`/proc/self/fd/${fd}`);
    if (real !== '/' && !opened.startsWith(`${real}/`))
      throw new Error(`${path} is outside of the root file system`);
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error(`${path} is not an ordinary file`);
    return readBounded(fd, path).toString('utf8');
  } finally {
    closeSync(fd);
  }
}

function readBounded(fd: number, path: string): Buffer {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(16384);
    const count = readSync(fd, chunk);
    if (count === 0) return Buffer.concat(chunks, total);
    chunks.push(chunk.subarray(0, count));
    total += count;
    if (total > MAX_BYTES) throw new Error(`${path} has more than ${MAX_BYTES} bytes`);
  }
}

// Opens a file of a container's root file system without being led out of it: links are followed as the container would see them,
// and only an ordinary file of bounded size is read. Node has no openat2(2) (RESOLVE_IN_ROOT), so what was opened is compared with
// the root once more, by the kernel's own word for it.

import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, realpathSync } from 'node:fs';
import { findInLayers } from './layers.ts';

/** Far above any passwd of an image, and nothing that exhausts memory. */
const MAX_BYTES = 1 << 20;

/** The text of the file, or undefined when there is none. @throws Error for what is no ordinary file of at most 1 MiB */
export function readInLayers(lowers: readonly string[], path: string): string | undefined {
  const roots = lowers.map((lower) => realpathSync.native(lower));
  const found = findInLayers(roots, path);
  if (found === undefined) return undefined;
  // A FIFO would wait for a writer, and a link was put there since it was looked at.
  const fd = openSync(found.places[0], constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const opened = readlinkSync(`/proc/self/fd/${fd}`);
    if (!roots.some((root) => root === '/' || opened.startsWith(`${root}/`)))
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

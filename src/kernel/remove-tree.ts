// Removing a folder in which a container could write. Its names can be any bytes, its trees as deep as they like (longer than any
// path that a system call takes), its symlinks lead anywhere: none is followed, and no other file system is entered.

import { lstatSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';

/** PATH_MAX is 4096; a name may have 255 bytes more. */
const LONG_PATH = 3500;

type Level = { readonly path: Buffer; readonly left: Buffer[] };

/** Removes it and everything in it; nothing there is fine. @throws an error with the code EXDEV at another file system */
export function removeTree(folder: string): void {
  const device = lstatSync(folder, { throwIfNoEntry: false })?.dev;
  if (device === undefined) return;
  const root = Buffer.from(folder);
  const stack: Level[] = [];
  let moved = 0;

  /** A folder is put on the stack, anything else is removed. */
  const visit = (path: Buffer): void => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (!stat.isDirectory()) {
      unlinkSync(path);
      return;
    }
    if (stat.dev !== device) {
      const message = `${path.toString()} is another file system, and is left alone`;
      throw Object.assign(new Error(message), { code: 'EXDEV' });
    }
    if (path.length <= LONG_PATH) {
      stack.push({ path, left: readdirSync(path, { encoding: 'buffer' }) });
      return;
    }
    // Nearer to the root its path is short again.
    const name = Buffer.from(`.deep-${moved++}`);
    renameSync(path, below(root, name));
    stack[0]?.left.push(name);
  };

  visit(root);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const name = top.left.pop();
    if (name !== undefined) {
      visit(below(top.path, name));
      continue;
    }
    rmdirSync(top.path);
    stack.pop();
  }
}

function below(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), name]);
}

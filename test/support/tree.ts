// A tree of files as text, one line for each, with all that lstat(2) and the extended attributes say but for the inode's
// number, so that two trees can be compared. Hard links are told by the first of their names. Names are bytes.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

const kinds: readonly [string, (stat: BigIntStats) => boolean][] = [
  ['dir', (stat) => stat.isDirectory()],
  ['file', (stat) => stat.isFile()],
  ['link', (stat) => stat.isSymbolicLink()],
  ['fifo', (stat) => stat.isFIFO()],
  ['char', (stat) => stat.isCharacterDevice()],
  ['block', (stat) => stat.isBlockDevice()],
  ['socket', (stat) => stat.isSocket()],
];

function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

export type TreeOptions = {
  /** The root itself has what its maker gave it; left out unless asked for. */
  readonly root?: boolean;
  /** Left out when false: they take a process. */
  readonly xattrs?: boolean;
};

/** The extended attributes of all files below, as getfattr(1) tells them. */
function xattrs(folder: string): Map<string, string> {
  const words = ['-h', '-R', '-P', '-d', '-m', '-', '-e', 'hex', '.'];
  const text = execFileSync('getfattr', words, {
    cwd: folder,
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const blocks = text.split('\n\n').filter((block) => block.startsWith('# file: '));
  return new Map(
    blocks.map((block) => {
      const [name = '', ...values] = block.trimEnd().split('\n');
      const unescaped = name
        .slice('# file: '.length)
        .replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
      return [unescaped, values.sort().join(' ')];
    }),
  );
}

/** Not readdirSync()'s own recursion, which follows links. */
function namesBelow(folder: string, name = ''): string[] {
  return readdirSync(bytes(`${folder}/${name}`), { encoding: 'latin1' }).flatMap((child) => {
    const path = name === '' ? child : `${name}/${child}`;
    return lstatSync(bytes(`${folder}/${path}`)).isDirectory() ? [path, ...namesBelow(folder, path)] : [path];
  });
}

/** Lines `NAME KIND MODE UID:GID MTIME ...`, sorted. */
export function describeTree(folder: string, options: TreeOptions = {}): string[] {
  const names = namesBelow(folder).sort();
  const attributes = options.xattrs === false ? new Map<string, string>() : xattrs(folder);
  const first = new Map<bigint, string>();
  return ['.', ...names]
    .filter((name) => name !== '.' || options.root === true)
    .map((name) => {
      const path = bytes(name === '.' ? folder : `${folder}/${name}`);
      const stat = lstatSync(path, { bigint: true });
      const kind = kinds.find(([, is]) => is(stat))?.[0] ?? '?';
      const line = [name, kind];
      // Whiteouts have no attributes that mean anything.
      if (kind === 'char' && stat.rdev === 0n) return `${name} whiteout`;
      line.push((stat.mode & 0o7777n).toString(8), `${stat.uid}:${stat.gid}`, `${stat.mtimeNs}`);
      if (kind === 'file')
        line.push(createHash('sha1').update(readFileSync(path)).digest('hex'), `${stat.size}`);
      if (kind === 'link') line.push(`-> ${readlinkSync(path, 'latin1')}`);
      if (kind === 'char' || kind === 'block') line.push(`${stat.rdev >> 8n},${stat.rdev & 0xffn}`);
      if (kind !== 'dir' && stat.nlink > 1n) {
        const before = first.get(stat.ino);
        if (before === undefined) first.set(stat.ino, name);
        line.push(`same as ${before ?? name}`);
      }
      line.push(attributes.get(name) ?? '');
      return line.join(' ').trimEnd();
    });
}

/** Fails with the first lines that differ: assert's own diff of two long lists takes minutes. */
export function assertSameTree(actual: readonly string[], expected: readonly string[], what = ''): void {
  const [left, right] = [new Set(actual), new Set(expected)];
  const missing = expected.filter((line) => !left.has(line)).map((line) => `- ${line}`);
  const extra = actual.filter((line) => !right.has(line)).map((line) => `+ ${line}`);
  const shown = [...missing.slice(0, 5), ...extra.slice(0, 5)].map((line) => line.slice(0, 1000));
  if (shown.length > 0) throw new Error(`${what} the trees differ:\n${shown.join('\n')}`);
}

// The verbs of the helper that read and write archives, on folders of the test's own. Beside the folder that is unpacked
// into there is one with files that nothing may touch, and every hostile archive knows its way there.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { helperPath } from './program-writer.ts';
import { describeTree } from './tree.ts';

export type Packed = { readonly status: number | null; readonly stdout: Buffer; readonly stderr: string };

/** Runs a verb with the archive as stdin. */
export function helper(
  words: readonly string[],
  input: Uint8Array = Buffer.alloc(0),
  program = helperPath(),
): Packed {
  const env = {
    PATH: '/no/such/folder',
    ASAN_OPTIONS: 'detect_leaks=0',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  };
  const { status, stdout, stderr } = spawnSync(program, words, {
    input,
    env,
    maxBuffer: 1 << 30,
    timeout: 120_000,
  });
  return { status, stdout, stderr: stderr.toString('utf8') };
}

/** The same, which must work; its stdout. */
export function helperOk(words: readonly string[], input?: Uint8Array, program?: string): Buffer {
  const { status, stdout, stderr } = helper(words, input, program);
  if (status !== 0) throw new Error(`${words.join(' ')}: ${status}\n${stderr}`);
  return stdout;
}

export type LayerPlace = Disposable & {
  readonly folder: string;
  /** A new empty folder beside the others. */
  readonly make: (name?: string) => string;
  /** A script with the folder as $0, in it. */
  readonly sh: (script: string, ...words: string[]) => string;
  /** Files that no archive may touch. */
  readonly outside: string;
  /** True to the beginning as long as nothing was touched. */
  readonly outsideNow: () => string[];
};

/** Folders on a file system of their own, because overlayfs refuses a layer that is inside of another one. */
export function layerPlace(): LayerPlace {
  const folder = mkdtempSync(join(tmpdir(), 'nslab-layers-'));
  execFileSync('mount', ['-t', 'tmpfs', 'nslab-test', folder]);
  let count = 0;
  const outside = join(folder, 'outside');
  mkdirSync(join(outside, 'folder'), { recursive: true });
  writeFileSync(join(outside, 'secret'), 'secret', { mode: 0o600 });
  return {
    folder,
    make: (name = `layer${count++}`) => {
      const path = join(folder, name);
      mkdirSync(path);
      return path;
    },
    sh: (script, ...words) =>
      execFileSync('sh', ['-euc', script, folder, ...words], {
        cwd: folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    outside,
    outsideNow: () => describeTree(outside, { root: true, xattrs: false }),
    [Symbol.dispose]: () => {
      execFileSync('umount', ['-l', folder]);
      rmdirSync(folder);
    },
  };
}

// A lab as `nslab up` leaves it on disk, made by hand with util-linux and iproute2, so that tests of the helper depend on
// nothing else of nslab: a shared tmpfs with the pins under /run/nslab/labs/LAB/netns, the prefix, the names in /run/netns.
// Taken down as `nslab down` does it: one lazy umount, then the files.

import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const LABS = '/run/nslab/labs';

let labs = 0;

/** A name that no other test process uses. */
export function uniqueName(): string {
  return `t${process.pid}x${labs++}`;
}

export type PinnedLab = Disposable & {
  readonly lab: string;
  readonly netns: (node: string) => string;
  readonly pin: (node: string) => string;
  /** Runs `ip` in the namespace of the node. */
  readonly ip: (node: string, ...words: string[]) => string;
  /** Puts files into /etc/netns/NETNS. */
  readonly etc: (node: string, files: Readonly<Record<string, string>>) => void;
  /** What `nslab down` does; twice is fine. */
  readonly down: () => void;
};

/** Makes the lab; it goes away with `using`. */
export function pinnedLab(nodes: readonly string[], prefix = '', lab = uniqueName()): PinnedLab {
  const folder = join(LABS, lab);
  const netns = (node: string): string => `${prefix}${node}`;
  const pin = (node: string): string => join(folder, 'netns', netns(node));
  const etcFolders: string[] = [];
  const script = `
    set -e
    mkdir -p "$0/netns" /run/netns
    mount -t tmpfs -o mode=0700,nosuid,nodev,noexec nslab "$0/netns"
    mount --make-shared "$0/netns"
    for netns; do
      : >"$0/netns/$netns"
      unshare --net="$0/netns/$netns" true
      ln -sfn "$0/netns/$netns" "/run/netns/$netns"
    done`;
  const down = (): void => {
    spawnSync('umount', ['-l', join(folder, 'netns')], { stdio: 'ignore' });
    rmSync(folder, { recursive: true, force: true });
    for (const node of nodes) rmSync(join('/run/netns', netns(node)), { force: true });
    for (const etc of etcFolders) rmSync(etc, { recursive: true, force: true });
    for (const empty of [LABS, '/run/nslab', '/etc/netns']) {
      spawnSync('rmdir', [empty], { stdio: 'ignore' });
    }
  };
  try {
    execFileSync('sh', ['-c', script, folder, ...nodes.map(netns)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (prefix !== '') writeFileSync(join(folder, 'prefix'), prefix);
  } catch (error) {
    down();
    throw error;
  }
  return {
    lab,
    netns,
    pin,
    ip: (node, ...words) =>
      execFileSync('nsenter', [`--net=${pin(node)}`, 'ip', ...words], { encoding: 'utf8' }),
    etc: (node, files) => {
      const etc = join('/etc/netns', netns(node));
      etcFolders.push(etc);
      mkdirSync(etc, { recursive: true });
      for (const [name, text] of Object.entries(files)) writeFileSync(join(etc, name), text);
    },
    down,
    [Symbol.dispose]: down,
  };
}

/** The mount points at or below the path, in the mount table of this process. */
export function mountsBelow(path: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point === path || point.startsWith(`${path}/`));
}

/** bin/nslab of the checkout, with dist/nslab-helper built if it is missing. */
export function builtNslab(): string {
  if (!existsSync(join(root, 'dist/nslab-helper'))) make('release', join(root, 'dist/nslab-helper'));
  return join(root, 'bin/nslab');
}

let sanitized: string | undefined;

/** bin/nslab beside a helper that is built with AddressSanitizer and UBSan; removed when the process ends. */
export function sanitizedNslab(): string {
  if (sanitized === undefined) {
    sanitized = mkdtempSync(join(tmpdir(), 'nslab-asan-'));
    const folder = sanitized;
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, 'bin'));
    cpSync(join(root, 'bin/nslab'), join(folder, 'bin/nslab'), { verbatimSymlinks: true });
    make('asan', join(folder, 'dist/nslab-helper'));
    // mkdtemp(3) makes a folder for root alone, and one test runs the program as somebody else.
    execFileSync('chmod', ['-R', 'a+rX', folder]);
  }
  return join(sanitized, 'bin/nslab');
}

function make(target: 'release' | 'asan', out: string): void {
  execFileSync('make', ['-s', '-C', join(root, 'src/helper'), target, `OUT=${out}`], { stdio: 'inherit' });
}

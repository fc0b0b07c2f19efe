// Where the benchmark works: a folder of its own, the C programs compiled into it, and /run of its own (a tmpfs in a private mount
// namespace, unshare(1)). With that /run nothing that runs on the machine meets our names, nothing of ours outlives us whatever
// happens, and a machine whose /run is on a disk measures the kernel and not the disk. --host-run uses the machine's /run instead.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const INSIDE = 'NSLAB_BENCH_INSIDE';
const WARNINGS = [
  ...['-Wall', '-Wextra', '-Wshadow', '-Wstrict-prototypes', '-Wmissing-prototypes', '-Wswitch-enum'],
  ...['-Wformat=2', '-Werror'],
];
// What the machine has mounted below /run is dropped from our copy, or it would keep other labs' namespaces alive and be copied
// by every `ip netns exec`. A mount that went meanwhile is none to drop, so failures are passed over. /run/netns is made as ip-netns(8) makes it on first use.
const OWN_RUN = [
  `{ awk '$5 ~ "^/run/" { print $5 }' /proc/self/mountinfo | sort -r | xargs -r -n 1 umount -l 2>/dev/null; true; }`,
  'mount -t tmpfs -o mode=755 bench-run /run',
  'mkdir /run/netns',
  'mount --bind /run/netns /run/netns',
  'mount --make-shared /run/netns',
  'exec "$@"',
].join(' && ');

export type Workspace = Disposable & { readonly folder: string; readonly ownRun: boolean };

export function isInside(): boolean {
  return process.env[INSIDE] === '1';
}

/** Runs this program again with a /run of its own, and returns its exit status. Ctrl-C reaches it without our help. */
export async function runInside(): Promise<number> {
  const args = ['--mount', '--propagation', 'private', 'sh', '-c', OWN_RUN, 'sh'];
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  const child = spawn('unshare', [...args, ...self], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

export function openWorkspace(): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'nslab-bench-'));
  return {
    folder,
    ownRun: isInside(),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Compiles test/bench/NAME.c into the workspace and returns the program's path. */
export function compile(workspace: Pick<Workspace, 'folder'>, name: string): string {
  const program = join(workspace.folder, name);
  const source = join(import.meta.dirname, `${name}.c`);
  const cc = spawnSync('cc', ['-O2', '-std=gnu17', ...WARNINGS, '-o', program, source], { encoding: 'utf8' });
  if (cc.error !== undefined)
    throw new Error('no C compiler (cc). Debian and Ubuntu: apt-get install gcc libc6-dev');
  if (cc.status !== 0) throw new Error(`${source} did not compile:\n${cc.stderr}`);
  return program;
}

function entries(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** What must be the same after the benchmark as before, one line each. */
export function footprint(): string[] {
  const links = spawnSync('ip', ['-brief', 'link'], { encoding: 'utf8' }).stdout.trim().split('\n');
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n');
  return [
    ...links.map((line) => `link ${line.split(/\s+/)[0]}`),
    ...mounts.map((line) => `mount ${line.split(' ')[4]}`),
    ...entries('/run/netns').map((name) => `netns ${name}`),
    ...entries('/run/nslab/labs').map((name) => `lab ${name}`),
    ...entries('/run/nslab-limit').map((name) => `limit's lab ${name}`),
    ...entries('/etc/netns').map((name) => `/etc/netns/${name}`),
  ].sort();
}

/** What a benchmark left, or a lab that is up and would be in the way. Its labs have nothing in the machine's own namespace. */
export function leftovers(): string[] {
  return footprint().filter((line) =>
    /^(netns nb-|mount .*\/nb-|lab |limit's lab |\/etc\/netns\/nb-)/.test(line),
  );
}

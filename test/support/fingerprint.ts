// Everything of the machine that a lab could leave behind, as text: the first promise of nslab is that this text is the same
// after `down` as before `up`. Read with iproute2, nft and /proc, never with our own readers.
//
// NSLAB_TEST_IGNORE is a regular expression for lines to leave out, for a machine on which something else is at work at the
// same time. It is empty by default.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { type Dirent, existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { patience } from './emulated.ts';

const execute = promisify(execFile);

/** One thing a line, under the heading of where it was read. */
export type Fingerprint = ReadonlyMap<string, readonly string[]>;

// biome-ignore lint/suspicious/noExplicitAny: what `ip -j` prints differs with every kind of object
type Json = any;

/** What counts up, runs down or is a number that the kernel gives out anew. */
const volatile =
  /^(ifindex|link_index|handle|metainfo|packets|bytes|valid_life_time|preferred_life_time|expires|cache|used|.*_timer)$/;

/** The value without what changes by itself. */
export function withoutVolatile(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutVolatile);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !volatile.test(key));
  return Object.fromEntries(kept.map(([key, member]) => [key, withoutVolatile(member)]));
}

async function json(command: string): Promise<string[]> {
  const [file = '', ...args] = command.split(' ');
  const { stdout } = await execute(file, args, { maxBuffer: 256 << 20 });
  const parsed = stdout.trim() === '' ? [] : JSON.parse(stdout);
  const list = Array.isArray(parsed) ? parsed : parsed.nftables;
  return (list as Json[])
    .map((entry) => JSON.stringify(withoutVolatile(entry)))
    .filter((line) => line !== '{}')
    .sort();
}

const sections: Readonly<Record<string, () => Promise<string[]> | string[]>> = {
  links: () => json('ip -j -d link show'),
  addresses: () => json('ip -j addr show'),
  'IPv4 routes': () => json('ip -j -4 route show table all'),
  'IPv6 routes': () => json('ip -j -6 route show table all'),
  'IPv4 rules': () => json('ip -j -4 rule show'),
  'IPv6 rules': () => json('ip -j -6 rule show'),
  neighbours: () => json('ip -j neigh show nud permanent'),
  'proxy neighbours': () => json('ip -j neigh show proxy'),
  fdb: () => json('bridge -j fdb show'),
  'nft ruleset': () => json('nft -j list ruleset'),
  files: () => ['/run/netns', '/etc/netns', '/run/nslab', '/var/lib/nslab'].flatMap(tree),
  mounts,
  sysctls: () => sysctls('/proc/sys/net'),
  cgroups,
  processes,
};

/** Reads all of it. */
export async function fingerprint(): Promise<Fingerprint> {
  const ignored = process.env['NSLAB_TEST_IGNORE'] ?? '';
  const ignore = ignored === '' ? undefined : new RegExp(ignored);
  const read = Object.entries(sections).map(async ([name, lines]): Promise<[string, string[]]> => {
    const all = await lines();
    return [name, ignore === undefined ? all : all.filter((line) => !ignore.test(line))];
  });
  return new Map(await Promise.all(read));
}

/** The files and links below a path, with where they lead; an empty folder is as good as none. */
function tree(path: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
  const below = entries.flatMap((entry) => {
    const name = join(path, entry.name);
    if (entry.isSymbolicLink()) return [`${name} -> ${readlinkSync(name)}`];
    return entry.isDirectory() ? tree(name) : [name];
  });
  return below.sort();
}

/** proc_pid_mountinfo(5) without the numbers that are given out anew: mount ids and peer groups. */
function mounts(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const words = line.split(' ').slice(2);
      return words.map((word) => word.replace(/^(shared|master|propagate_from):\d+$/, '$1')).join(' ');
    })
    .sort();
}

function sysctls(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sysctls(path);
    if (volatileSysctl.test(path)) return [];
    try {
      return [`${path.slice('/proc/sys/'.length)} = ${readFileSync(path, 'utf8').trim()}`];
    } catch {
      // Some can only be written (route/flush), or have no value yet (stable_secret).
      return [];
    }
  });
}

/** `nf_conntrack_count` counts; the rest of netfilter's appear when its modules are first used, and stay. */
const volatileSysctl = /\/net\/(netfilter\/|nf_conntrack_max$|bridge\/)/;

function cgroups(): string[] {
  const roots = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '');
  return roots.flatMap((root) => [...folders(root), ...handedDown(root)]);
}

/** What the root of cgroup2 hands down. */
function handedDown(root: string): string[] {
  const file = join(root, 'cgroup.subtree_control');
  return existsSync(file)
    ? [`${file} = ${readFileSync(file, 'utf8').trim().split(' ').sort().join(' ')}`]
    : [];
}

function folders(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [path, ...entries.flatMap((entry) => folders(join(path, entry.name)))];
  } catch {
    return [];
  }
}

type Process = { readonly pid: number; readonly parent: number; readonly line: string };

/**
 * The processes that could be a lab's: in another network namespace than this one, or with nslab in their command line; not the
 * kernel's own, those that have ended, and this one with its children. What else runs on the machine comes and goes.
 */
function processes(): string[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(readProcess);
  const byPid = new Map(all.map((one) => [one.pid, one]));
  const isOf = (one: Process | undefined, ancestor: number): boolean =>
    one !== undefined && (one.pid === ancestor || isOf(byPid.get(one.parent), ancestor));
  const KTHREADD = 2;
  const others = all.filter((one) => !isOf(one, KTHREADD) || byPid.get(KTHREADD)?.parent !== 0);
  // A child that was left behind has another parent by now, so it is seen here.
  const own = netnsOf('self');
  const isElsewhere = (netns: string) => netns !== '' && netns !== own;
  const isLabs = (one: Process) => /nslab/.test(one.line) || isElsewhere(netnsOf(String(one.pid)));
  return others.filter((one) => !isOf(one, process.pid) && isLabs(one)).map((one) => one.line);
}

/** The network namespace of a process; '' where it cannot be told, as of one that is just ending. */
function netnsOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return '';
  }
}

/** linux/sched.h. */
const PF_EXITING = 0x4;

function readProcess(name: string): Process[] {
  try {
    // proc_pid_stat(5): "pid (comm) state ppid ...", and comm may have anything in it.
    const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
    const end = stat.lastIndexOf(')');
    const [state, parent, , , , , flags] = stat.slice(end + 2).split(' ');
    // Exiting, too: the init of a pid namespace stays so until its last zombie is buried, and a machine whose process 1 is no init
    // buries none.
    if (state === 'Z' || state === 'X' || (Number(flags) & PF_EXITING) !== 0) return [];
    const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return [{ pid: Number(name), parent: Number(parent), line: `${stat.slice(0, end + 1)} ${command}` }];
  } catch {
    return [];
  }
}

/** The lines that only one of the two has; empty when they are the same. */
export function differences(before: Fingerprint, after: Fingerprint): string[] {
  return [...before.keys()].flatMap((section) => {
    const was = before.get(section) ?? [];
    const is = after.get(section) ?? [];
    const [wasSet, isSet] = [new Set(was), new Set(is)];
    // A process that somebody else's business has ended is no trace of a lab.
    const gone = section === 'processes' ? [] : was.filter((line) => !isSet.has(line));
    const come = is.filter((line) => !wasSet.has(line));
    const lines = [...gone.map((line) => `  - ${line}`), ...come.map((line) => `  + ${line}`)];
    return lines.length === 0 ? [] : [`${section}:`, ...lines];
  });
}

/** How long what settles by itself may take. */
const SETTLE_MS = patience(5000);

/**
 * Fails with the differences unless the machine is as it was. Only processes get a moment to end, since the kernel buries one
 * that was killed in its own time; with `settle: 'all'` everything gets it, for what has IPv6 duplicate address detection.
 */
export async function assertUnchanged(
  before: Fingerprint,
  what = 'the machine',
  { settle = 'processes' }: { readonly settle?: 'processes' | 'all' } = {},
): Promise<void> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    // On a busy machine a look can take as long as the time to settle: the last one begins after it.
    const isLast = Date.now() > deadline;
    const found = differences(before, await fingerprint());
    if (found.length === 0) return;
    if ((settle === 'processes' && found[0] !== 'processes:') || isLast) {
      assert.fail(`${what} is not as it was before:\n${found.join('\n')}`);
    }
    await wait(50);
  }
}

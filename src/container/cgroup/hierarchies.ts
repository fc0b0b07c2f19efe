// The control group hierarchies of the machine as they are mounted: v1, v2 or both (hybrid). Read from mountinfo and
// /proc/self/cgroup, never from paths that are usual; statfs(2) must agree, because a plain folder of that name takes any file.
// cgroups(7), proc_pid_mountinfo(5), proc_pid_cgroup(5).

import { readFileSync, statfsSync } from 'node:fs';
import { codeOf } from '../../sys/errno.ts';

export type Hierarchy = {
  readonly version: 1 | 2;
  /** Where it is mounted. */
  readonly mount: string;
  /** v1: those of the hierarchy (`name=systemd` for one without); v2: those of cgroup.controllers. */
  readonly controllers: readonly string[];
};

export type Hierarchies = {
  readonly v1: readonly Hierarchy[];
  readonly v2?: Hierarchy;
};

// linux/magic.h
const CGROUP_SUPER_MAGIC = 0x27e0eb;
const CGROUP2_SUPER_MAGIC = 0x63677270;

type Mounted = { readonly mount: string; readonly type: string; readonly options: readonly string[] };

/** What reading them needs of the machine; a test gives its own. */
export type HierarchySource = {
  /** Of a file; '' where there is none. */
  readonly text: (path: string) => string;
  readonly magic: (path: string) => number | undefined;
};

const machine: HierarchySource = {
  text: (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  },
  magic: (path) => {
    try {
      return statfsSync(path).type;
    } catch (error) {
      // A mount that is hidden below another, or whose folder is closed to us.
      if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(codeOf(error))) return undefined;
      throw error;
    }
  },
};

/** Those that can be written, one mount for each. */
export function readHierarchies(source: HierarchySource = machine): Hierarchies {
  const mounts = readMounts(source.text('/proc/self/mountinfo'));
  const v1: Hierarchy[] = [];
  let v2: Hierarchy | undefined;
  for (const controllers of readOwn(source.text('/proc/self/cgroup'))) {
    const isUnified = controllers.length === 0;
    const [type, magic] = isUnified ? ['cgroup2', CGROUP2_SUPER_MAGIC] : ['cgroup', CGROUP_SUPER_MAGIC];
    const found = mounts.find(
      (mounted) =>
        mounted.type === type &&
        controllers.every((name) => mounted.options.includes(name)) &&
        source.magic(mounted.mount) === magic,
    );
    if (found === undefined) continue;
    const { mount } = found;
    if (!isUnified) v1.push({ version: 1, mount, controllers });
    else v2 = { version: 2, mount, controllers: words(source.text(`${mount}/cgroup.controllers`)) };
  }
  return v2 === undefined ? { v1 } : { v1, v2 };
}

/** The one that limits this: a v1 controller is bound to its hierarchy and gone from cgroup2. */
export function hierarchyOf({ v1, v2 }: Hierarchies, controller: string): Hierarchy | undefined {
  return [...v1, ...(v2 === undefined ? [] : [v2])].find(({ controllers }) =>
    controllers.includes(controller),
  );
}

/** Every hierarchy, v1 first. */
export function allHierarchies({ v1, v2 }: Hierarchies): readonly Hierarchy[] {
  return v2 === undefined ? v1 : [...v1, v2];
}

export function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** Lines `5:cpu,cpuacct:/path`; `0::/path` is cgroup2. */
function readOwn(text: string): (readonly string[])[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (line.split(':')[1] ?? '').split(',').filter((name) => name !== ''));
}

/** `36 31 0:33 ROOT MOUNT rw,relatime OPTIONAL... - cgroup cgroup rw,devices`; those that are whole and writable first. */
function readMounts(text: string): Mounted[] {
  const found: (Mounted & { rank: number })[] = [];
  for (const line of text.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', mount = '', flags = ''] = before.split(' ');
    const [type = '', , options = ''] = after.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    const isWritable = flags.split(',').includes('rw');
    const rank = (isWritable ? 0 : 2) + (root === '/' ? 0 : 1);
    found.push({ mount: unescaped(mount), type, options: options.split(','), rank });
  }
  return found.sort((a, b) => a.rank - b.rank);
}

/** Space, tab, newline and backslash are octal numbers there. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

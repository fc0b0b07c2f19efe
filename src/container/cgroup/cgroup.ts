// Control groups of containers: one folder nslab/LAB/NODE in every hierarchy, with the limits, made before the command's first
// instruction and removed after its end. It touches nothing outside of nslab/ but for the controllers that the root of cgroup2
// hands down, which it puts back (handed-down.ts). v1, v2 and hybrid: a limit goes to the hierarchy that has its controller. cgroups(7), cgroup-v2.rst.

import { basename, join } from 'node:path';
import { NslabError } from '../../base/error.ts';
import { codeOf } from '../../sys/errno.ts';
import type { CgroupFacts } from '../host.ts';
import type { Resources } from '../runtime-spec.ts';
import { deviceProgram } from './device-program.ts';
import {
  groupsBelow,
  makeGroup,
  processesIn,
  readControl,
  removeGroup,
  removeGroups,
  sleep,
  writeControl,
} from './files.ts';
import { type HandedDown, takeBack, withHandedDown } from './handed-down.ts';
import { allHierarchies, type Hierarchies, hierarchyOf, readHierarchies, words } from './hierarchies.ts';
import { deviceWrites, type Write, writesOf } from './limits.ts';

export type Cgroup = {
  readonly facts: CgroupFacts;
  /** Limits that this kernel cannot keep though the container can run without them. */
  readonly warnings: readonly string[];
};

/** The machine as control groups see it. */
export type CgroupHost = {
  readonly hierarchies: Hierarchies;
  /** The file for what the root of cgroup2 hands down for nslab alone. */
  readonly handedDown: string;
};

/** How long killed processes may take to leave. */
const KILL_MS = 5000;
/** How long the kernel may take to stop the processes of a group. */
const FREEZE_MS = 5000;
/** What `stats` reads. */
const counted = ['cpu', 'memory', 'io', 'pids'];

/**
 * Makes the groups of one container. `path` is nslab/LAB/NODE. When something is refused what was made is removed again.
 * @throws CONTAINER_CGROUP, naming the key of the file
 */
export function createCgroup(path: string, resources: Resources, host: CgroupHost): Cgroup {
  const { hierarchies } = host;
  const parts = partsOf(path);
  if (allHierarchies(hierarchies).length === 0) {
    throw new NslabError('CONTAINER_CGROUP', 'no control group hierarchy is mounted', {
      hint: 'mount -t cgroup2 none /sys/fs/cgroup',
    });
  }
  const writes = [...writesFor(resources, hierarchies), ...deviceWritesFor(resources, hierarchies)];
  try {
    for (const { mount, controllers } of hierarchies.v1) {
      makeGroups(mount, parts, { after: controllers.includes('cpuset') ? inheritCpuset : undefined });
    }
    const { v2 } = hierarchies;
    if (v2 !== undefined) {
      const wanted = new Set(
        writes.map(({ controller }) => controller).filter((c) => v2.controllers.includes(c)),
      );
      makeUnified(v2.mount, parts, { wanted, file: host.handedDown });
    }
    const warnings = writes.flatMap((write) => applyWrite(write, parts, hierarchies) ?? []);
    return { facts: factsOf(parts, resources, hierarchies), warnings: [...new Set(warnings)] };
  } catch (error) {
    if (!(error instanceof InUse)) removeQuietly(path, host);
    throw toProblem(error);
  }
}

/**
 * Changes limits of a container that has its groups already; what is not given stays. Returns warnings.
 * @throws CONTAINER_CGROUP
 */
export function updateCgroup(
  path: string,
  limits: Omit<Resources, 'devices'>,
  { hierarchies, handedDown: file }: CgroupHost,
): readonly string[] {
  const parts = partsOf(path);
  const writes = writesFor({ ...limits, devices: [] }, hierarchies);
  try {
    const { v2 } = hierarchies;
    if (v2 !== undefined) {
      const wanted = new Set(
        writes.map(({ controller }) => controller).filter((name) => v2.controllers.includes(name)),
      );
      withHandedDown(file, (root) => {
        for (const depth of parts.keys())
          handDown(join(v2.mount, ...parts.slice(0, depth)), wanted, depth === 0 ? root : undefined);
      });
    }
    const ordered = inOrder(writes, parts, hierarchies);
    return [...new Set(ordered.flatMap((write) => applyWrite(write, parts, hierarchies) ?? []))];
  } catch (error) {
    throw toProblem(error);
  }
}

/** memory.memsw of v1 is never below memory.limit: what grows goes first, from the outside in what shrinks. */
function inOrder(writes: readonly Write[], parts: readonly string[], hierarchies: Hierarchies): Write[] {
  const memory = hierarchyOf(hierarchies, 'memory');
  const limit = writes.find(({ file }) => file === 'memory.limit_in_bytes');
  const both = writes.find(({ file }) => file === 'memory.memsw.limit_in_bytes');
  if (memory === undefined || limit === undefined || both === undefined) return [...writes];
  const now = Number(readControl(join(memory.mount, ...parts, both.file)) ?? 0);
  const grows = Number(both.value) < 0 || Number(both.value) > now;
  const rest = writes.filter((write) => write !== limit && write !== both);
  return [...(grows ? [both, limit] : [limit, both]), ...rest];
}

/** Ends what still runs in the container's groups and removes them, and nslab/LAB and nslab with the last. */
export function removeCgroup(path: string, { hierarchies, handedDown }: CgroupHost): void {
  const parts = partsOf(path);
  killCgroup(path, hierarchies);
  for (const { mount, version } of allHierarchies(hierarchies)) {
    removeGroups(join(mount, ...parts));
    const isEmpty = parentsOf(parts).every((parent) => removeGroup(join(mount, ...parent)));
    if (!isEmpty) continue;
    const [top = ''] = parts;
    const isLast = (): boolean => removeGroup(join(mount, top));
    if (version === 1) isLast();
    else takeBack(handedDown, mount, isLast);
  }
}

/** The groups between nslab's own and the container's, the deepest first. */
function parentsOf(parts: readonly string[]): (readonly string[])[] {
  return parts.slice(1, -1).map((_, index) => parts.slice(0, parts.length - 1 - index));
}

/** SIGKILL to every process of the container's groups; returns when the last has left. */
export function killCgroup(path: string, hierarchies: Hierarchies = readHierarchies()): void {
  const parts = partsOf(path);
  const directories = allHierarchies(hierarchies).map(({ mount }) => join(mount, ...parts));
  const deadline = Date.now() + KILL_MS;
  for (let wait = 1; ; wait = Math.min(wait * 2, 20)) {
    const pids = new Set(directories.flatMap(groupsBelow).flatMap(processesIn));
    pids.delete(process.pid);
    if (pids.size === 0) return;
    if (Date.now() > deadline) {
      const list = [...pids].join(', ');
      throw new NslabError('CONTAINER_CGROUP', `processes ${list} in ${path} do not end after SIGKILL`);
    }
    for (const directory of directories) killAtOnce(directory);
    for (const pid of pids) killOne(pid);
    // A task that v1's freezer holds dies only when it is let go.
    thawCgroup(path, hierarchies);
    sleep(wait);
  }
}

/** Stops every process of the container; returns when they stand. */
export function freezeCgroup(path: string, hierarchies: Hierarchies = readHierarchies()): void {
  const freezer = freezerOf(partsOf(path), hierarchies);
  if (freezer === undefined) {
    throw new NslabError('CONTAINER_CGROUP', 'the kernel has no freezer for control groups');
  }
  const { directory, version } = freezer;
  const deadline = Date.now() + FREEZE_MS;
  while (!isFrozen(directory, version)) {
    // v1 may stay FREEZING while tasks fork; writing again goes on with it.
    writeControl(
      join(directory, version === 1 ? 'freezer.state' : 'cgroup.freeze'),
      version === 1 ? 'FROZEN' : '1',
    );
    if (Date.now() > deadline) {
      thawCgroup(path, hierarchies);
      throw new NslabError('CONTAINER_CGROUP', `the processes in ${path} do not stop`);
    }
    sleep(1);
  }
}

/** Lets them go on. Nothing happens where nothing is frozen, or there. */
export function thawCgroup(path: string, hierarchies: Hierarchies = readHierarchies()): void {
  const parts = partsOf(path);
  for (const { mount, version } of allHierarchies(hierarchies)) {
    const [file, value] = version === 1 ? ['freezer.state', 'THAWED'] : ['cgroup.freeze', '0'];
    try {
      writeControl(join(mount, ...parts, file), value);
    } catch (error) {
      if (!['ENOENT', 'ENODEV'].includes(codeOf(error))) throw error;
    }
  }
}

/** Folder names of a path. A name that the kernel could give to a file of a group gets a `_` before it, as systemd does. */
export function partsOf(path: string): string[] {
  const parts = path.replace(/^\//, '').split('/');
  const isBad = (part: string): boolean =>
    part === '' || part === '.' || part === '..' || /[\n\0]/.test(part);
  if (parts[0] !== 'nslab' || parts.length < 2 || parts.some(isBad)) {
    throw new Error(`not the control group of a container: ${JSON.stringify(path)}`);
  }
  return parts.map((part) => (kernelName.test(part) ? `_${part}` : part));
}

const kernelName =
  /^(_|(tasks|notify_on_release|release_agent)$|(cgroup|cpu|cpuacct|cpuset|memory|devices|freezer|blkio|io|pids|hugetlb|rdma|misc|irq|dmem|net_cls|net_prio|perf_event)\.)/;

class InUse extends NslabError {}

function toProblem(error: unknown): unknown {
  if (error instanceof NslabError || codeOf(error) === '') return error;
  return new NslabError('CONTAINER_CGROUP', error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

function removeQuietly(path: string, host: CgroupHost): void {
  try {
    removeCgroup(path, host);
  } catch {
    // What was refused first is what the user needs to know; `down` removes the rest.
  }
}

/** Those of v1 for controllers that v1 has, and of v2 for the others. */
function writesFor(resources: Resources, hierarchies: Hierarchies): Write[] {
  const isV1 = ({ controller }: Write): boolean => hierarchyOf(hierarchies, controller)?.version === 1;
  const v1 = writesOf(resources, 1).filter(isV1);
  const done = new Set(
    v1.map(({ key, controller }) => `${key} ${controller === 'blkio' ? 'io' : controller}`),
  );
  const v2 = writesOf(resources, 2).filter((write) => !isV1(write));
  return [...v1, ...v2.filter(({ key, controller }) => !done.has(`${key} ${controller}`))];
}

function deviceWritesFor(resources: Resources, hierarchies: Hierarchies): Write[] {
  return hierarchyOf(hierarchies, 'devices') === undefined ? [] : deviceWrites(resources);
}

type EachGroup = (directory: string, parent: string) => void;
type Each = { readonly before?: EachGroup | undefined; readonly after?: EachGroup | undefined };

/** The folders from `nslab` down to the container's own, which must be new. */
function makeGroups(mount: string, parts: readonly string[], each: Each): void {
  for (let attempt = 0; ; attempt++) {
    try {
      // Mostly the lab has its folder; a second mkdir(2) of it costs as much as the first.
      if (each.before === undefined && each.after === undefined && tryMakeOwn(join(mount, ...parts))) return;
      makeEachGroup(mount, parts, each);
      return;
    } catch (error) {
      // A `down` of another lab may remove an empty parent at the same moment.
      if (codeOf(error) !== 'ENOENT' || attempt === 10) throw error;
    }
  }
}

type Wishes = { readonly wanted: ReadonlySet<string>; readonly file: string };

/** The same in cgroup2, with the controllers of the limits. */
function makeUnified(mount: string, parts: readonly string[], { wanted, file }: Wishes): void {
  // A folder of the lab that has them all is from an earlier container, and nobody but its own `down` removes it.
  const given = words(readControl(join(mount, ...parts.slice(0, -1), 'cgroup.subtree_control')) ?? '');
  if (parts.length > 2 && [...wanted].every((name) => given.includes(name))) {
    if (tryMakeOwn(join(mount, ...parts))) return;
  }
  withHandedDown(file, (handedDown) => {
    const before: EachGroup = (_, parent) =>
      handDown(parent, wanted, parent === mount ? handedDown : undefined);
    makeGroups(mount, parts, { before });
  });
}

function tryMakeOwn(directory: string): boolean {
  try {
    return makeGroup(directory);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function makeEachGroup(mount: string, parts: readonly string[], { before, after }: Each): void {
  let parent = mount;
  for (const [index, part] of parts.entries()) {
    const directory = join(parent, part);
    before?.(directory, parent);
    if (!makeGroup(directory) && index === parts.length - 1) replaceEmpty(directory);
    after?.(directory, parent);
    parent = directory;
  }
}

/** What a killed nslab has left is made anew, with its counters at zero. */
function replaceEmpty(directory: string): void {
  const pids = groupsBelow(directory).flatMap(processesIn);
  if (pids.length > 0) {
    throw new InUse('CONTAINER_CGROUP', `${directory} has processes: ${pids.slice(0, 5).join(', ')}`, {
      hint: 'nslab down takes away what a lab has left',
    });
  }
  removeGroups(directory);
  makeGroup(directory);
}

/** A cpuset of v1 begins without processors and memory, and takes no process before it has both. */
function inheritCpuset(directory: string, parent: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readControl(join(directory, file))?.trim() !== '') continue;
    writeControl(join(directory, file), readControl(join(parent, file))?.trim() ?? '');
  }
}

/**
 * Lets the groups below have these controllers, and those that `stats` reads where the machine's root has them already.
 * `root` is given for the machine's.
 */
function handDown(parent: string, wanted: ReadonlySet<string>, root: HandedDown | undefined): void {
  const file = join(parent, 'cgroup.subtree_control');
  const given = words(readControl(file) ?? '');
  const offered = words(readControl(join(parent, 'cgroup.controllers')) ?? '');
  const also = root === undefined ? counted.filter((name) => offered.includes(name)) : [];
  const missing = [...new Set([...wanted, ...also])].filter((name) => !given.includes(name));
  if (missing.length === 0) return;
  root?.note(missing);
  if (tryWrite(file, missing.map((name) => `+${name}`).join(' '))) return;
  // The kernel takes all or none; one by one they tell which it is.
  for (const name of missing) {
    try {
      writeControl(file, `+${name}`);
    } catch (error) {
      if (!wanted.has(name)) continue;
      // The group itself is gone: whoever called makes it again.
      if (readControl(file) === undefined) throw error;
      throw refusal(name === 'cpuset' ? 'cpu' : name, `+${name} in ${file}`, error);
    }
  }
}

function tryWrite(file: string, value: string): boolean {
  try {
    writeControl(file, value);
    return true;
  } catch (error) {
    if (codeOf(error) === '') throw error;
    return false;
  }
}

function refusal(key: string, what: string, error: unknown): NslabError {
  const word = key === 'io' ? 'blkio' : key;
  return new NslabError('CONTAINER_CGROUP', `${word}: the kernel refuses ${what}: ${codeOf(error)}`, {
    cause: error,
  });
}

/** Returns a warning, where the limit is one that a container can do without. */
function applyWrite(write: Write, parts: readonly string[], hierarchies: Hierarchies): string | undefined {
  const { controller, file, value, key } = write;
  const hierarchy = hierarchyOf(hierarchies, controller);
  // The devices of cgroup2 are no controller, and have no writes.
  if (hierarchy === undefined) {
    throw new NslabError('CONTAINER_CGROUP', `${key}: no hierarchy has the ${controller} controller`, {
      hint: 'it is missing from the kernel, or nothing has mounted it: see /proc/cgroups',
    });
  }
  try {
    writeControl(join(hierarchy.mount, ...parts, file), value);
    return undefined;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw refusal(key, `${value} in ${file}`, error);
    if (write.missing === 'warn')
      return `${key}: the kernel does not count swap (no ${file}), so only memory is limited`;
    throw new NslabError('CONTAINER_CGROUP', `${key}: the kernel has no ${file}`, { cause: error });
  }
}

function freezerOf(parts: readonly string[], hierarchies: Hierarchies): CgroupFacts['freezer'] {
  const { v2 } = hierarchies;
  if (v2 !== undefined) {
    const directory = join(v2.mount, ...parts);
    // Since Linux 5.2, and with no controller at all.
    if (readControl(join(directory, 'cgroup.freeze')) !== undefined) return { directory, version: 2 };
  }
  const v1 = hierarchies.v1.find(({ controllers }) => controllers.includes('freezer'));
  return v1 === undefined ? undefined : { directory: join(v1.mount, ...parts), version: 1 };
}

function isFrozen(directory: string, version: 1 | 2): boolean {
  return version === 1
    ? readControl(join(directory, 'freezer.state'))?.trim() === 'FROZEN'
    : /^frozen 1$/m.test(readControl(join(directory, 'cgroup.events')) ?? '');
}

function factsOf(parts: readonly string[], resources: Resources, hierarchies: Hierarchies): CgroupFacts {
  const all = allHierarchies(hierarchies);
  const memory = hierarchyOf(hierarchies, 'memory');
  const oomFile = memory?.version === 2 ? 'memory.events' : 'memory.oom_control';
  const oom = memory === undefined ? undefined : join(memory.mount, ...parts, oomFile);
  const freezer = freezerOf(parts, hierarchies);
  const { v2 } = hierarchies;
  const byProgram = v2 !== undefined && hierarchyOf(hierarchies, 'devices') === undefined;
  return {
    join: all.map(({ mount, version }) => ({ directory: join(mount, ...parts), version })),
    ...(oom === undefined || readControl(oom) === undefined ? {} : { oom }),
    ...(freezer === undefined ? {} : { freezer }),
    ...(byProgram
      ? { devices: { directory: join(v2.mount, ...parts), instructions: deviceProgram(resources.devices) } }
      : {}),
    mounts: all.map(({ mount, version, controllers }) => ({
      name: all.length === 1 && version === 2 ? '' : basename(mount),
      fstype: version === 1 ? 'cgroup' : 'cgroup2',
      options: version === 1 ? controllers : [],
    })),
  };
}

/** cgroup.kill reaches every task at one moment, forks included; Linux 5.14. */
function killAtOnce(directory: string): void {
  try {
    writeControl(join(directory, 'cgroup.kill'), '1');
  } catch (error) {
    if (!['ENOENT', 'ENODEV', 'EOPNOTSUPP'].includes(codeOf(error))) throw error;
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

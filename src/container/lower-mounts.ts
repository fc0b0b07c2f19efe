// The mounts, devices and hidden paths of a runtime configuration as ops, in an order in which none hides what a later one needs.
// Pure.

import { defaultDevices, defaultSymlinks } from './defaults.ts';
import type { CgroupFacts } from './host.ts';
import { readMountWords } from './mount-options.ts';
import { BIND_FLAG_READ_ONLY_RECURSIVE, BIND_FLAG_RECURSIVE, type ProgramOp } from './program-ops.ts';
import type { Device, Mount, RuntimeSpec } from './runtime-spec.ts';

/** From the root to the last path that is made read only. */
export function lowerRootfs(spec: RuntimeSpec, cgroup: CgroupFacts): ProgramOp[] {
  const { lowers, upper, work, copied = false } = spec.nslab.overlay;
  return [
    copied ? { op: 'ROOT_BIND', directory: upper } : { op: 'ROOT_OVERLAY', lowers, upper, work },
    ...spec.mounts.flatMap((mount) => [
      ...lowerMount(mount, cgroup),
      // Before whatever is mounted below /dev, and not into a /dev of the machine's.
      ...(mount.destination === '/dev' && mount.type !== 'bind' ? lowerDevices(spec) : []),
    ]),
    ...(spec.linux.maskedPaths ?? []).map((path): ProgramOp => ({ op: 'MASK', path })),
    ...(spec.linux.readonlyPaths ?? []).map((path): ProgramOp => ({ op: 'READ_ONLY', path })),
    ...(spec.root.readonly === true ? [{ op: 'ROOT_READ_ONLY' } as const] : []),
  ];
}

function lowerMount(mount: Mount, cgroup: CgroupFacts): ProgramOp[] {
  switch (mount.type) {
    case 'bind':
      return [lowerBind(mount)];
    case 'cgroup':
      return lowerCgroup(mount, cgroup);
    default: {
      const { attr, data } = readMountWords(mount.options);
      const { type: fstype, source, destination: target } = mount;
      return [{ op: 'MOUNT', fstype, source, target, attr, options: data }];
    }
  }
}

function lowerBind({ source, destination: target, options }: Mount): ProgramOp {
  const { attr, propagation, recursive, readOnlyRecursive } = readMountWords(options);
  const flags =
    (recursive ? BIND_FLAG_RECURSIVE : 0) | (readOnlyRecursive ? BIND_FLAG_READ_ONLY_RECURSIVE : 0);
  return { op: 'BIND', ...(flags === 0 ? {} : { flags }), source, target, attr, propagation };
}

/** cgroup2 alone is mounted itself; of v1 each hierarchy is, in a folder of its own. */
function lowerCgroup({ destination, options }: Mount, { mounts }: CgroupFacts): ProgramOp[] {
  const { attr } = readMountWords(options);
  const mountOf = ({ name, fstype, options: data }: CgroupFacts['mounts'][number]): ProgramOp => {
    const target = name === '' ? destination : `${destination}/${name}`;
    return { op: 'MOUNT', fstype, source: 'cgroup', target, attr, options: data };
  };
  const [first] = mounts;
  if (first === undefined) return [];
  if (first.name === '') return [mountOf(first)];
  const folder = {
    op: 'MOUNT',
    fstype: 'tmpfs',
    source: 'cgroup',
    target: destination,
    attr: readMountWords(['nosuid', 'noexec', 'nodev']).attr,
    // Room for the folders of the hierarchies and nothing else, which spares making it read-only afterwards.
    options: ['mode=755', 'nr_blocks=1', `nr_inodes=${mounts.length + 1}`],
  } as const;
  return [folder, ...mounts.map(mountOf)];
}

const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

function lowerDevices({ linux: { devices = [], uidMappings }, mounts }: RuntimeSpec): ProgramOp[] {
  const named = new Set(devices.map(({ path }) => path));
  const isMapped = uidMappings !== undefined;
  const bound = new Set(mounts.map(({ destination }) => destination));
  const defaults = defaultDevices.filter(({ path }) => !named.has(path) && !(isMapped && bound.has(path)));
  return [
    ...defaults.map(isMapped ? bindDevice : lowerDevice),
    ...devices.map(lowerDevice),
    ...defaultSymlinks
      .filter(({ path }) => !named.has(path))
      .map(({ path, target }): ProgramOp => {
        return { op: 'SYMLINK', target, path };
      }),
  ];
}

/** That of the machine itself: nobody in a user namespace may make one. */
function bindDevice({ path }: Device): ProgramOp {
  return lowerBind({
    destination: path,
    type: 'bind',
    source: path,
    options: ['bind', 'rprivate', 'nosuid', 'noexec'],
  });
}

function lowerDevice({ path, type, major, minor, fileMode, uid, gid }: Device): ProgramOp {
  return {
    op: 'DEVICE',
    path,
    type: type === 'c' ? S_IFCHR : S_IFBLK,
    major,
    minor,
    mode: fileMode,
    uid,
    gid,
  };
}

// The mounts of a runtime configuration: Docker's defaults, the node's binds, volumes and tmpfs, and the files in /etc that the lab
// gives it. A default that the file mounts something over is left out. Pure.

import type { ContainerOptions } from '../model/container-options.ts';
import { type MountText, parseBind, parseTmpfs, parseVolume } from '../model/container-text.ts';
import { type IdMaps, mapId } from '../model/userns.ts';
import { DEFAULT_SHM_SIZE, defaultMounts, hostTmpfs, TTY_GROUP } from './defaults.ts';
import type { BuildHost } from './host.ts';
import { propagations } from './mount-options.ts';
import { bytesOf, listOf, must } from './options.ts';
import { hostPath } from './paths.ts';
import type { Extension, Mount, Volume } from './runtime-spec.ts';

type MountInput = {
  readonly options: ContainerOptions;
  readonly host: BuildHost;
  readonly hostname: string;
  readonly isHostRootfs: boolean;
  readonly maps?: IdMaps;
};

export type BuiltMounts = {
  readonly mounts: readonly Mount[];
  readonly volumes: readonly Volume[];
  readonly files: Extension['files'];
};

export function buildMounts({ options, host, hostname, isHostRootfs, maps }: MountInput): BuiltMounts {
  const volumes: Volume[] = [];
  const own = givenMounts(options).map((mount, index) => toMount(mount, { host, volumes, index }));
  const targets = new Set(own.map(({ destination }) => destination));
  const { mounts: etc, files } = etcMounts(host, hostname);
  const defaults = [
    ...defaultMounts(bytesOf(options.shm_size) ?? DEFAULT_SHM_SIZE).map((mount) =>
      asShared(withinMap(mount, maps), options),
    ),
    ...(isHostRootfs ? hostTmpfs : []),
    ...etc,
  ];
  const kept = defaults.filter(({ destination }) => !isReplaced(destination, targets));
  return {
    mounts: [...kept.map((mount) => asPrivileged(mount, options)), ...own.sort(outerFirst)],
    volumes,
    files: files.filter(({ path }) => kept.some(({ source }) => source === path)),
  };
}

/** The node's own, as the file writes them. */
export function givenMounts(options: ContainerOptions): MountText[] {
  return [
    ...(options.binds ?? []).map((text) => must(parseBind(text))),
    ...(options.volumes ?? []).map((value) => must(parseVolume(value))),
    ...listOf(options.tmpfs).map((text) => must(parseTmpfs(text))),
  ];
}

function outerFirst(a: Mount, b: Mount): number {
  return a.destination.split('/').length - b.destination.split('/').length;
}

/** A whole /dev or /sys of the file's own has no defaults of ours in it. */
function isReplaced(destination: string, targets: ReadonlySet<string>): boolean {
  if (targets.has(destination)) return true;
  return ['/dev', '/sys'].some((outer) => targets.has(outer) && destination.startsWith(`${outer}/`));
}

/** A group that the container does not have cannot own its terminals. */
function withinMap(mount: Mount, maps: IdMaps | undefined): Mount {
  if (mount.type !== 'devpts' || maps === undefined || mapId(maps.gid, TTY_GROUP) !== undefined) return mount;
  return { ...mount, options: mount.options.filter((word) => word !== `gid=${TTY_GROUP}`) };
}

/** The machine's shared memory goes with its IPC namespace; of an mqueue each mount shows the namespace it is made in. */
function asShared(mount: Mount, { ipc }: ContainerOptions): Mount {
  const { destination } = mount;
  if (ipc !== 'host' || destination !== '/dev/shm') return mount;
  return { destination, type: 'bind', source: destination, options: ['bind', 'rprivate'] };
}

function asPrivileged(mount: Mount, { privileged }: ContainerOptions): Mount {
  const isSys = mount.destination === '/sys' || mount.destination === '/sys/fs/cgroup';
  if (privileged !== true || !isSys) return mount;
  return { ...mount, options: mount.options.filter((word) => word !== 'ro') };
}

type VolumeInput = { readonly host: BuildHost; readonly volumes: Volume[]; readonly index: number };

function toMount(mount: MountText, { host, volumes, index }: VolumeInput): Mount {
  const { type, source, target: destination, options } = mount;
  switch (type) {
    case 'tmpfs':
      return { destination, type, source: 'tmpfs', options: ['noexec', 'nosuid', 'nodev', ...options] };
    case 'bind':
      return { destination, type, source: hostPath(source ?? '', host), options: bindOptions(options) };
    case 'volume': {
      const named = source !== undefined;
      const path = named ? `${host.volumes}/${source}` : `${host.var}/volumes/${index}`;
      volumes.push({ path, target: destination, copy: !options.includes('nocopy'), named });
      return { destination, type: 'bind', source: path, options: bindOptions(options) };
    }
  }
}

/** With what is mounted below the source, private, and read only all the way down: Docker's defaults since 25. */
function bindOptions(words: readonly string[]): string[] {
  const kept = words.filter((word) => word !== 'nocopy' && word !== 'rbind' && word !== 'bind');
  return [
    words.includes('bind') ? 'bind' : 'rbind',
    ...(kept.some((word) => propagations.has(word)) ? [] : ['rprivate']),
    ...kept,
    ...(kept.includes('ro') && !words.includes('bind') ? ['rro'] : []),
  ];
}

/** Read only: nodes that see the lab alike share one file. */
function etcMounts(
  host: BuildHost,
  hostname: string,
): { readonly mounts: Mount[]; files: Extension['files'] } {
  const hostnameFile = `${host.run}/hostname`;
  const sources: readonly (readonly [string, string | undefined])[] = [
    ['/etc/hosts', host.etc.hosts],
    ['/etc/resolv.conf', host.etc.resolvConf],
    ['/etc/hostname', hostnameFile],
  ];
  return {
    mounts: sources.flatMap(([destination, source]): Mount[] =>
      source === undefined
        ? []
        : [{ destination, type: 'bind', source, options: ['bind', 'rprivate', 'ro'] }],
    ),
    files: [{ path: hostnameFile, text: `${hostname}\n` }],
  };
}

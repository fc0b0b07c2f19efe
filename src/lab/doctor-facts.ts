// What `nslab doctor` looks at, read and not changed: files of /proc, /sys and /etc, what the kernel answers in a namespace that goes
// again, and what is left of labs. Which of it is well is doctor.ts's.

import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Kernel } from '../kernel/port.ts';
import { cgroupHierarchies, moduleOfDevice, type ProbeResult, probeNetwork } from '../kernel/probe.ts';
import { listNetns } from '../netns/pin.ts';
import { isLabGroup, labGroup } from '../plan/mark.ts';
import { LABS_DIR } from '../state/paths.ts';
import { labExists, labsOfFiles, listLabs } from '../state/store.ts';
import { labState } from './list.ts';

/** Whether the module of a feature is in the kernel, can be loaded, or is not there; `unknown` where the machine has no list. */
export type ModuleState = 'present' | 'loadable' | 'missing' | 'unknown';

export type Leftover = { readonly what: string; readonly mend: string };

export type DoctorFacts = {
  readonly isRoot: boolean;
  readonly release: string;
  readonly modules: Readonly<Record<string, ModuleState>>;
  /** Undefined where no namespace could be made. */
  readonly probe: ProbeResult | undefined;
  readonly hasTun: boolean;
  /** Names of /proc/filesystems. */
  readonly fileSystems: readonly string[];
  /** Of a file under /proc/sys, without the newline; undefined where it is not there. */
  readonly sysctl: (path: string) => string | undefined;
  readonly namespaces: readonly string[];
  readonly cgroups: ReturnType<typeof cgroupHierarchies>;
  readonly programs: ReadonlySet<string>;
  readonly seLinux: 'enforcing' | 'permissive' | undefined;
  /** Lines of root, nslab or containers. */
  readonly subids: Readonly<Record<'uid' | 'gid', number>>;
  readonly node: { readonly version: string; readonly snapshot: 'used' | 'options' | 'other' };
  readonly storage: { readonly path: string; readonly type: number; readonly freeBytes: number };
  readonly leftovers: readonly Leftover[];
};

/** Kinds that are asked of the kernel; `tun` is a file and `tap` the same. */
export const kinds = [
  'veth',
  'bridge',
  'vlan',
  'vxlan',
  'macvlan',
  'ipvlan',
  'dummy',
  'vrf',
  'wireguard',
  'gre',
  'bond',
  'ifb',
] as const;

export const tools = ['ping', 'ip', 'nft', 'tcpdump', 'busybox'] as const;

/** @throws whatever reading throws that is no answer */
export function readFacts(kernel: Kernel | undefined): DoctorFacts {
  const moduleNames = [...kinds.map(moduleOfDevice), 'nf_tables', 'sch_netem', 'overlay'];
  const states = moduleStates(moduleNames);
  // What could be loaded would be by trying it.
  const isTried = (module: string) => states[module] !== 'loadable';
  const probe =
    kernel === undefined
      ? undefined
      : tryProbe({
          kinds: kinds.filter((kind) => isTried(moduleOfDevice(kind))),
          nftables: isTried('nf_tables'),
          netem: isTried('sch_netem'),
        });
  return {
    isRoot: process.geteuid?.() === 0,
    release: release(),
    modules: states,
    probe,
    hasTun: existsSync('/dev/net/tun'),
    fileSystems: readText('/proc/filesystems')
      .split('\n')
      .map((line) => line.split('\t').at(-1) ?? ''),
    sysctl: (path) => (existsSync(`/proc/sys/${path}`) ? readText(`/proc/sys/${path}`).trim() : undefined),
    namespaces: readdirSync('/proc/self/ns'),
    cgroups: cgroupHierarchies(),
    programs: new Set(tools.filter(isInPath)),
    seLinux: seLinuxMode(),
    subids: { uid: countIds('/etc/subuid'), gid: countIds('/etc/subgid') },
    node: { version: process.version, snapshot: snapshotUse() },
    storage: readStorage(),
    leftovers: kernel === undefined ? [] : findLeftovers(kernel),
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function tryProbe(request: Parameters<typeof probeNetwork>[0]): ProbeResult | undefined {
  try {
    return probeNetwork(request);
  } catch {
    return undefined;
  }
}

/** modules.builtin and modules.dep name files, `kernel/net/ipv4/ip_gre.ko.xz`; in names `-` and `_` are the same (kmod). */
function moduleStates(names: readonly string[]): Record<string, ModuleState> {
  const folder = `/lib/modules/${release()}`;
  const named = (text: string) =>
    new Set(
      [...text.matchAll(/([^/\s:]+)\.ko(?:\.\w+)?(?=[:\s])/g)].map(([, name = '']) =>
        name.replaceAll('-', '_'),
      ),
    );
  const builtin = named(readText(`${folder}/modules.builtin`));
  const loadable = named(readText(`${folder}/modules.dep`));
  const isListed = existsSync(`${folder}/modules.dep`);
  return Object.fromEntries(
    names.map((name) => {
      if (builtin.has(name) || existsSync(`/sys/module/${name}`)) return [name, 'present'];
      if (loadable.has(name)) return [name, 'loadable'];
      return [name, isListed ? 'missing' : 'unknown'];
    }),
  );
}

function isInPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function seLinuxMode(): DoctorFacts['seLinux'] {
  const enforce = readText('/sys/fs/selinux/enforce').trim();
  return enforce === '' ? undefined : enforce === '1' ? 'enforcing' : 'permissive';
}

function countIds(path: string): number {
  const lines = [...readText(path).matchAll(/^(?:root|nslab|containers):\d+:(\d+)\s*$/gm)];
  return lines.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** The launcher says by an option of Node's whether it starts from the snapshot (src/helper/launch.c). */
function snapshotUse(): DoctorFacts['node']['snapshot'] {
  if (process.execArgv.some((word) => word.startsWith('--snapshot-blob'))) return 'used';
  return (process.env['NODE_OPTIONS'] ?? '') === '' ? 'other' : 'options';
}

/** Of /var/lib/nslab or, before there is one, of the folder it will be in. */
function readStorage(): DoctorFacts['storage'] {
  let path = '/var/lib/nslab';
  while (!existsSync(path)) path = dirname(path);
  const { type, bavail, bsize } = statfsSync(path);
  return { path, type, freeBytes: bavail * bsize };
}

function findLeftovers(kernel: Kernel): Leftover[] {
  const labs = listLabs();
  const ofLabs = labs.flatMap((lab): Leftover[] => {
    const state = labState(lab, kernel);
    if (state === 'stale') return [{ what: `lab ${lab} was up before the last boot`, mend: 'nslab prune' }];
    if (state !== 'broken' && state !== 'degraded' && state !== 'unreadable') return [];
    return [{ what: `lab ${lab} is ${state}`, mend: `nslab down ${lab}` }];
  });
  const files = labsOfFiles()
    .filter((lab) => !labExists(lab))
    .map((lab) => ({ what: `files of containers of lab ${lab}, which is gone`, mend: 'nslab prune' }));
  const names = listNetns().flatMap(({ name, target }): Leftover[] => {
    const lab =
      target?.startsWith(`${LABS_DIR}/`) === true
        ? target.slice(LABS_DIR.length + 1).split('/')[0]
        : undefined;
    if (lab === undefined || labs.some((one) => one === lab)) return [];
    return [{ what: `the name /run/netns/${name} of lab ${lab}, which is gone`, mend: 'nslab prune' }];
  });
  const observed = kernel.observe();
  const groups = new Set(labs.map(labGroup));
  const links = observed.links
    .filter(({ group }) => isLabGroup(group) && !groups.has(group))
    .map(({ ifname }) => ({
      what: `the device ${ifname} of a lab that is gone`,
      mend: `ip link del ${ifname}`,
    }));
  const tables = observed.tables.flatMap((table): Leftover[] => {
    const lab = /^\S+ nslab-(.+)$/.exec(table)?.[1];
    if (lab === undefined || labs.some((one) => one === lab)) return [];
    return [{ what: `the nft table ${table} of a lab that is gone`, mend: `nft delete table ${table}` }];
  });
  return [...ofLabs, ...files, ...names, ...links, ...tables];
}

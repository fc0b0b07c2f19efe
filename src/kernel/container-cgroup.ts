// The control groups of a lab's containers: nslab/LAB/NODE in every hierarchy. Which hierarchies there are is read once.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LabName, NodeName } from '../base/names.ts';
import {
  type Cgroup,
  type CgroupHost,
  createCgroup,
  partsOf,
  removeCgroup,
  updateCgroup,
} from '../container/cgroup/cgroup.ts';
import { groupsBelow, processesIn } from '../container/cgroup/files.ts';
import { allHierarchies, readHierarchies } from '../container/cgroup/hierarchies.ts';
import { type CgroupLimits, readLimits } from '../container/cgroup/read-limits.ts';
import { type CgroupStats, readStats } from '../container/cgroup/stats.ts';
import { buildLimits, type LimitOptions } from '../container/limits.ts';
import type { Resources } from '../container/runtime-spec.ts';
import { HANDED_DOWN } from '../state/paths.ts';

let host: CgroupHost | undefined;

function known(): CgroupHost {
  host ??= { hierarchies: readHierarchies(), handedDown: HANDED_DOWN };
  return host;
}

function pathOf(lab: LabName, node: NodeName): string {
  return `nslab/${lab}/${node}`;
}

/** @throws NslabError CONTAINER_CGROUP */
export function makeCgroup(lab: LabName, node: NodeName, resources: Resources): Cgroup {
  return createCgroup(pathOf(lab, node), resources, known());
}

/** Ends what is in them and removes them; never made is fine. */
export function dropCgroup(lab: LabName, node: NodeName): void {
  removeCgroup(pathOf(lab, node), known());
}

/** Undefined when they are gone. */
export function cgroupStats(lab: LabName, node: NodeName): CgroupStats | undefined {
  return readStats(pathOf(lab, node), known().hierarchies);
}

/** As the kernel has them now. */
export function cgroupLimits(lab: LabName, node: NodeName): CgroupLimits {
  return readLimits(pathOf(lab, node), known().hierarchies);
}

/** The folders that there are, one for each hierarchy. */
export function cgroupFolders(lab: LabName, node: NodeName): string[] {
  const parts = partsOf(pathOf(lab, node));
  const folders = allHierarchies(known().hierarchies).map(({ mount }) => join(mount, ...parts));
  return folders.filter((folder) => existsSync(folder));
}

/**
 * Changes those of the limits that are given. Returns what the kernel cannot do of it.
 * @throws NslabError CONTAINER_CGROUP
 */
export function changeLimits(lab: LabName, node: NodeName, options: LimitOptions): readonly string[] {
  return updateCgroup(pathOf(lab, node), buildLimits(options), known());
}

/** Pids as the machine counts them. */
export function cgroupProcesses(lab: LabName, node: NodeName): number[] {
  const parts = partsOf(pathOf(lab, node));
  const found = allHierarchies(known().hierarchies).map(({ mount }) => groupsBelow(join(mount, ...parts)));
  return [...new Set(found.flatMap((folders) => folders.flatMap(processesIn)))];
}

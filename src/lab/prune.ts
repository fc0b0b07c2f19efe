// `nslab prune`: removes the records of labs that a reboot ended, where /run outlives one, the files of their containers, which
// outlive every boot, and what they left in /etc/netns and /run/netns; and containers of `run --rm` whose monitor was killed before
// it could remove them. Labs that are up, or broken since this boot, are left to `down`.

import { readdirSync, readlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { LabName } from '../base/names.ts';
import type { Kernel } from '../kernel/port.ts';
import { NETNS_DIR, removeIfEmpty } from '../netns/pin.ts';
import { ETC_NETNS_DIR, LABS_DIR } from '../state/paths.ts';
import { labExists, labsOfFiles, listLabs, lockLab } from '../state/store.ts';
import { codeOf } from '../sys/errno.ts';
import { clearLab } from './clear.ts';
import { clearIdleDefault } from './default-network.ts';
import { labState } from './list.ts';
import { endedAndThere } from './remove.ts';

export type Pruned = {
  /** Labs of an earlier boot. */
  readonly labs: readonly LabName[];
  readonly containers: readonly LabName[];
  readonly links: readonly string[];
};

export function prune(kernel: Kernel): Pruned {
  const stale = listLabs().filter((lab) => labState(lab, kernel) === 'stale');
  const labs = [...stale, ...labsOfFiles().filter((lab) => !labExists(lab))];
  const containers = endedAndThere();
  for (const lab of [...labs, ...containers]) {
    using _lock = lockLab(lab);
    clearLab({ lab, kernel });
  }
  clearIdleDefault(kernel);
  return { labs, containers, links: [NETNS_DIR, ETC_NETNS_DIR].flatMap(removeDangling) };
}

/** Symlinks into the folder of a lab that is no more: /run is emptied by a boot, /etc is not. */
function removeDangling(folder: string): string[] {
  const removed: string[] = [];
  for (const name of readNames(folder)) {
    const path = join(folder, name);
    const target = readTarget(path);
    if (target === undefined || !target.startsWith(`${LABS_DIR}/`)) continue;
    const lab = target.slice(LABS_DIR.length + 1).split('/', 1)[0] as LabName;
    if (labExists(lab)) continue;
    unlinkSync(path);
    removed.push(path);
  }
  removeIfEmpty(folder);
  return removed;
}

function readNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function readTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

// Files for /etc inside the nodes: one folder per view of the lab, and /etc/netns/NETNS pointing to it, which is where both
// ip-netns(8) and nslab's helper look. A folder of that name which somebody made by hand is left alone and wins.

import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { LabName, NetnsName } from '../base/names.ts';
import { removeIfEmpty } from '../netns/pin.ts';
import { ETC_NETNS_DIR, LABS_DIR, viewsDir } from '../state/paths.ts';
import { codeOf } from '../sys/errno.ts';

/** Writes the files of a view. */
export function writeEtc(lab: LabName, view: string, files: Readonly<Record<string, string>>): void {
  const folder = join(viewsDir(lab), view);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o644 });
}

/** Points namespaces to their views. A new symlink costs ext4 an inode, 0.3 ms; a hard link to one that is there, 0.01 ms. */
export class EtcLinks {
  readonly #lab: LabName;
  /** The first symlink to each view. */
  readonly #first = new Map<string, string>();

  constructor(lab: LabName) {
    this.#lab = lab;
  }

  link(netns: NetnsName, view: string): void {
    const path = join(ETC_NETNS_DIR, netns);
    for (;;) {
      try {
        this.#make(path, join(viewsDir(this.#lab), view));
        return;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') mkdirSync(ETC_NETNS_DIR, { recursive: true, mode: 0o755 });
        else if (codeOf(error) === 'EEXIST' && isOurs(path)) unlinkSync(path);
        else if (codeOf(error) === 'EEXIST') return;
        else throw error;
      }
    }
  }

  #make(path: string, target: string): void {
    const first = this.#first.get(target);
    if (first !== undefined) {
      try {
        linkSync(first, path);
        return;
      } catch (error) {
        // EMLINK: that one has all the names its file system allows. EPERM: this file system has no hard links.
        if (!['EMLINK', 'EPERM', 'EOPNOTSUPP', 'ENOENT'].includes(codeOf(error))) throw error;
      }
    }
    symlinkSync(target, path);
    this.#first.set(target, path);
  }
}

/** A symlink into /run/nslab/labs: what `up` makes, or what a reboot left of it. */
function isOurs(path: string): boolean {
  try {
    return readlinkSync(path).startsWith(`${LABS_DIR}/`);
  } catch {
    return false;
  }
}

/** The view that a namespace of the lab is pointed to; undefined where it is none of the lab's. */
export function viewOf(lab: LabName, netns: NetnsName): string | undefined {
  const views = `${viewsDir(lab)}/`;
  try {
    const target = readlinkSync(join(ETC_NETNS_DIR, netns));
    return target.startsWith(views) ? target.slice(views.length) : undefined;
  } catch {
    return undefined;
  }
}

/** The files of a view of the lab, by name. */
export function filesOf(lab: LabName, view: string): Record<string, string> {
  const folder = join(viewsDir(lab), view);
  try {
    return Object.fromEntries(
      readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
    );
  } catch {
    return {};
  }
}

/** Removes the pointers of a lab's namespaces, and the folder that held them if nothing else is in it. */
export function unlinkEtc(lab: LabName, names: readonly NetnsName[]): void {
  const views = `${viewsDir(lab)}/`;
  for (const name of names) {
    const path = join(ETC_NETNS_DIR, name);
    try {
      if (readlinkSync(path).startsWith(views)) unlinkSync(path);
    } catch (error) {
      if (!['ENOENT', 'EINVAL', 'ENOTDIR'].includes(codeOf(error))) throw error;
    }
  }
  removeIfEmpty(ETC_NETNS_DIR);
}

// Where a lab's state lies. The helper reads the same places (src/helper/node.c), so a change here is a change there.

import { join } from 'node:path';
import type { LabName, NetnsName } from '../base/names.ts';

export const RUN_DIR = '/run/nslab';
export const LABS_DIR = `${RUN_DIR}/labs`;
/** ip-netns(8): the files of /etc/netns/NAME are bound over /etc inside the namespace NAME. */
export const ETC_NETNS_DIR = '/etc/netns';

export function labDir(lab: LabName): string {
  return join(LABS_DIR, lab);
}

/** The tmpfs that pins the lab's namespaces. */
export function pinsDir(lab: LabName): string {
  return join(LABS_DIR, lab, 'netns');
}

export function pinOf(lab: LabName, netns: NetnsName): string {
  return join(LABS_DIR, lab, 'netns', netns);
}

/** Folders of files for /etc, one per view. */
export function viewsDir(lab: LabName): string {
  return join(LABS_DIR, lab, 'etc');
}

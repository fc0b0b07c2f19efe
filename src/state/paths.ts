// Where a lab's state lies. The helper reads the same places (src/helper/node.c), so a change here is a change there.

import { join } from 'node:path';
import type { LabName, NetnsName, NodeName } from '../base/names.ts';

export const RUN_DIR = '/run/nslab';
export const LABS_DIR = `${RUN_DIR}/labs`;
/** The controllers that the root of cgroup2 hands down for containers alone (container/cgroup/handed-down.ts). */
export const HANDED_DOWN = `${RUN_DIR}/cgroup2`;
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

/** The user namespace that owns it, of a container that has one. No name of a namespace begins with a dot. */
export function usernsPinOf(lab: LabName, netns: NetnsName): string {
  return join(LABS_DIR, lab, 'netns', '.user', netns);
}

/** Folders of files for /etc, one per view. */
export function viewsDir(lab: LabName): string {
  return join(LABS_DIR, lab, 'etc');
}

/** What outlives no lab, but is too big for a tmpfs: upper layers and logs. */
export const CONTAINERS_VAR = '/var/lib/nslab/containers';

/** The image that a container runs on, which the store keeps as long as the file is there. */
export function containerImage(lab: LabName, node: NodeName): string {
  return join(CONTAINERS_VAR, lab, node, IMAGE_FILE);
}

export const IMAGE_FILE = 'image';

/** Named volumes: they outlive every lab. */
export const VOLUMES_VAR = '/var/lib/nslab/volumes';

/** The folders of the lab's running containers, one each. */
export function containersDir(lab: LabName): string {
  return join(LABS_DIR, lab, 'containers');
}

/** Program, state and control socket of a container. */
export function containerDir(lab: LabName, node: NodeName): string {
  return join(LABS_DIR, lab, 'containers', node);
}

/** Upper layer and log of a container. */
export function containerVar(lab: LabName, node: NodeName): string {
  return join(CONTAINERS_VAR, lab, node);
}

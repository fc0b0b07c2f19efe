// `nslab update`: limits of containers, changed in the files of their control groups while they run. The words are checked as those
// of a topology file are.

import { NslabError } from '../base/error.ts';
import { cgroupFolders, changeLimits } from '../kernel/container-cgroup.ts';
import type { Container } from './containers.ts';
import { type ContainerKeys, labOfContainer } from './run.ts';

/** The keys of a topology file that can be changed: `memory`, `memory_swap`, `memory_reservation`, `cpus`, ... */
export type Limits = ContainerKeys;

/** @throws NslabError for values that a file is refused for as well */
export function readLimits(limits: Limits): Limits {
  // Without a network: that of `nslab run` is there only while a container of it is.
  const lab = labOfContainer('update', { rootfs: 'host', network_mode: 'none', ...limits });
  return lab.nodes[0]?.container?.options ?? {};
}

/**
 * Returns warnings.
 * @throws NslabError CONTAINER_CGROUP where the kernel refuses; CONTAINER_REFUSED for one that has no control groups
 */
export function updateContainer({ lab, node }: Container, limits: Limits): readonly string[] {
  if (cgroupFolders(lab, node).length === 0) {
    throw new NslabError('CONTAINER_REFUSED', `container ${node} has no control groups`, {
      hint: 'nslab ps -a shows its state',
    });
  }
  return changeLimits(lab, node, limits);
}

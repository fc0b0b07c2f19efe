// Which images a lab's containers run on, and when each is to be pulled. Apart from image-pull.ts because `up` asks this of every lab, and
// what speaks to registries is loaded by few.

import type { ContainerOptions, PullPolicy } from '../model/container-options.ts';
import type { Lab } from '../model/lab.ts';

export type { PullPolicy };

/** When each image is pulled. */
export type WantedImages = ReadonlyMap<string, PullPolicy>;

/**
 * The images of a lab's containers. `chosen` comes before what the nodes say; of two nodes that want different things of one image, the
 * one that wants more counts.
 */
export function imagesWanted(lab: Lab, chosen?: PullPolicy): WantedImages {
  const order: readonly PullPolicy[] = ['never', 'missing', 'always'];
  const wanted = new Map<string, PullPolicy>();
  for (const { container } of lab.nodes) {
    if (container?.image === undefined) continue;
    const rule = chosen ?? (container.options as ContainerOptions).pull_policy ?? 'missing';
    const before = wanted.get(container.image) ?? 'never';
    wanted.set(container.image, order.indexOf(rule) > order.indexOf(before) ? rule : before);
  }
  return wanted;
}

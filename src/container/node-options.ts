// The container keys of a node, with those of its image where the node says nothing. Pure.

import type { ContainerOptions } from '../model/container-options.ts';
import type { ContainerNode } from './host.ts';
import { withImageSettings } from './image-options.ts';

export function optionsOf({ container, image }: ContainerNode): ContainerOptions {
  const own = (container?.options ?? {}) as ContainerOptions;
  return image === undefined ? own : withImageSettings(own, image.settings);
}

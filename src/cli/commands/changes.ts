// `nslab changes`: what a container has added (A), changed (C) and deleted (D) in its root file system, as `docker diff`.

import { containerChanges } from '../../lab/changes.ts';
import { findContainer } from '../../lab/containers.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { visible } from '../output/visible.ts';

type Args = { node: string; lab?: string; json: boolean };

export function run({ node, lab, json }: Args): void {
  assertRoot('changes');
  const changes = containerChanges(findContainer(node, lab));
  if (json) process.stdout.write(`${JSON.stringify(changes, null, 2)}\n`);
  else for (const { kind, path } of changes) process.stdout.write(`${kind} ${visible(path)}\n`);
}

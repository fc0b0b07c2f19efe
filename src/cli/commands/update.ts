// `nslab update`: limits of containers, changed while they run.

import { NslabError } from '../../base/error.ts';
import { findContainer } from '../../lab/containers.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { readLimits, updateContainer } from '../../lab/update.ts';
import { type LimitArgs, limitKeys } from '../container-keys.ts';
import { printNotes } from '../output/warnings.ts';

type Args = LimitArgs & { nodes: string[]; lab?: string };

export function run(args: Args): void {
  assertRoot('update');
  const keys = limitKeys(args);
  if (Object.values(keys).every((value) => value === undefined)) {
    throw new NslabError('USAGE', 'nothing to change', { hint: 'as nslab update -m 128m --cpus 0.5 NODE' });
  }
  const limits = readLimits(keys);
  // All are looked up before the first is touched.
  for (const container of args.nodes.map((node) => findContainer(node, args.lab))) {
    printNotes(updateContainer(container, limits));
    process.stdout.write(`${container.node}\n`);
  }
}

// `nslab attach`: the terminal becomes the container's, until it ends or the detach keys are typed.

import { findContainer, runningState } from '../../lab/containers.ts';
import { attachContainer } from '../../lab/control.ts';
import { assertRoot } from '../../lab/kernel.ts';

type Args = { node: string; lab?: string; stdin: boolean; detachKeys?: string };

export function run({ node, lab, stdin, detachKeys }: Args): void {
  assertRoot('attach');
  const container = findContainer(node, lab);
  runningState(container);
  process.exitCode = attachContainer(container, [
    ...(stdin ? [] : ['--no-stdin']),
    ...(detachKeys === undefined ? [] : ['--detach-keys', detachKeys]),
  ]);
}

// `nslab top`: the processes of a container, with their numbers outside and inside.

import { findContainer, runningState } from '../../lab/containers.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { containerProcesses } from '../../lab/top.ts';
import { renderTable } from '../output/table.ts';

type Args = { node: string; lab?: string; json: boolean };

export function run({ node, lab, json }: Args): void {
  assertRoot('top');
  const container = findContainer(node, lab);
  runningState(container);
  const found = containerProcesses(container);
  if (json) {
    process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
    return;
  }
  const rows = found.map((one) => [
    String(one.pid),
    String(one.inside),
    String(one.uid),
    one.state,
    String(one.threads),
    `${(one.rss / 2 ** 20).toFixed(1)}M`,
    one.cpu.toFixed(2),
    one.command,
  ]);
  process.stdout.write(
    renderTable(['PID', 'INSIDE', 'UID', 'STATE', 'THREADS', 'RSS', 'CPU(s)', 'COMMAND'], rows),
  );
}

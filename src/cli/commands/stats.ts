// `nslab stats`: what containers use, again and again until it is interrupted, or once.

import { setTimeout as pause } from 'node:timers/promises';
import { type Container, findContainer, listContainers, stateOf } from '../../lab/containers.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { takeSample, type Usage, usageBetween } from '../../lab/stats.ts';
import { bytesText } from '../output/bytes.ts';
import { renderTable } from '../output/table.ts';

type Args = { nodes?: string[]; lab?: string; stream: boolean; json: boolean };

const EVERY_MS = 1000;
/** Long enough for a share of processor time to mean something. */
const ONCE_MS = 250;

export async function run({ nodes = [], lab, stream, json }: Args): Promise<void> {
  assertRoot('stats');
  const named = nodes.map((node) => findContainer(node, lab));
  const current = (): Container[] => (named.length > 0 ? named : listContainers(lab)).filter(hasProcess);
  let before = takeSample(current());
  for (;;) {
    await pause(stream ? EVERY_MS : ONCE_MS);
    const containers = current();
    const after = takeSample(containers);
    const usage = usageBetween(before, after, containers);
    print(usage, { json, stream });
    if (!stream) return;
    before = after;
  }
}

function hasProcess(container: Container): boolean {
  const status = stateOf(container)?.status;
  return status === 'running' || status === 'paused';
}

function print(usage: readonly Usage[], { json, stream }: { json: boolean; stream: boolean }): void {
  if (json) {
    process.stdout.write(stream ? `${JSON.stringify(usage)}\n` : `${JSON.stringify(usage, null, 2)}\n`);
    return;
  }
  // Home, and what is below the table cleared: the table stands still on a terminal.
  if (stream && process.stdout.isTTY) process.stdout.write('\x1b[H\x1b[J');
  const rows = usage.map((one) => [
    one.node,
    one.lab,
    one.cpus === null ? '-' : `${(one.cpus * 100).toFixed(1)}%`,
    `${bytesText(one.memory)} / ${one.memoryLimit === null ? 'no limit' : bytesText(one.memoryLimit)}`,
    `${one.pids ?? '-'}${one.pidsLimit === null ? '' : ` / ${one.pidsLimit}`}`,
    `${bytesText(one.read)} / ${bytesText(one.written)}`,
  ]);
  const head = ['CONTAINER', 'LAB', 'CPU', 'MEMORY', 'PIDS', 'READ / WRITTEN'];
  process.stdout.write(rows.length === 0 ? 'no container is running\n' : renderTable(head, rows));
}

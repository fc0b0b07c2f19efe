// `nslab ps`: the containers of all labs that run, one line each; with -a all of them.

import { type ContainerRow, containerRows } from '../../lab/containers.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { statusText } from '../output/container-status.ts';
import { count } from '../output/count.ts';
import { renderTable } from '../output/table.ts';

type Args = { lab?: string; all: boolean; json: boolean; quiet: boolean };

export function run({ lab, all, json, quiet }: Args): void {
  assertRoot('ps');
  const every = containerRows(lab);
  const rows = all ? every : every.filter(isRunning);
  if (json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
  else if (quiet) process.stdout.write(rows.map(({ node }) => `${node}\n`).join(''));
  else if (rows.length > 0) process.stdout.write(containerTable(rows));
  else if (every.length === 0) process.stdout.write('there is no container\n');
  else process.stdout.write(`no container is running; ${count(every.length, 'other')}: nslab ps -a\n`);
}

/** As Docker counts: one that waits for its next start runs. */
function isRunning({ status }: ContainerRow): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}

function containerTable(rows: readonly ContainerRow[]): string {
  const now = Date.now();
  return renderTable(
    ['CONTAINER', 'LAB', 'STATUS', 'PID', 'RESTARTS', 'FILES', 'ADDRESSES', 'PORTS'],
    rows.map((row) => [
      row.node,
      row.lab,
      statusText(row, now),
      row.state === null || row.state.pid === 0 || !row.state.monitored ? '-' : String(row.state.pid),
      String(row.state?.restarts ?? 0),
      row.rootfs,
      row.addresses.join('\n') || '-',
      row.ports.join('\n') || '-',
    ]),
  );
}

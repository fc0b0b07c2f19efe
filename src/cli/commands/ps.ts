// `nslab ps`: the containers of all labs, one line each.

import { type ContainerRow, containerRows } from '../../lab/containers.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { statusText } from '../output/container-status.ts';
import { renderTable } from '../output/table.ts';

type Args = { lab?: string; json: boolean; quiet: boolean };

export function run({ lab, json, quiet }: Args): void {
  assertRoot('ps');
  const rows = containerRows(lab);
  if (json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
  else if (quiet) process.stdout.write(rows.map(({ node }) => `${node}\n`).join(''));
  else if (rows.length === 0) process.stdout.write('no container is up\n');
  else process.stdout.write(containerTable(rows));
}

function containerTable(rows: readonly ContainerRow[]): string {
  const now = Date.now();
  return renderTable(
    ['CONTAINER', 'LAB', 'STATUS', 'PID', 'RESTARTS', 'FILES', 'ADDRESSES'],
    rows.map((row) => [
      row.node,
      row.lab,
      statusText(row, now),
      row.state === null || row.state.pid === 0 ? '-' : String(row.state.pid),
      String(row.state?.restarts ?? 0),
      row.rootfs,
      row.addresses.join('\n') || '-',
    ]),
  );
}

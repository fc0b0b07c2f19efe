// `nslab ls`: one line per lab.

import { assertRoot, openKernel } from '../../lab/kernel.ts';
import { listRows } from '../../lab/list.ts';
import { renderTable } from '../output/table.ts';

export async function run({ json }: { json: boolean }): Promise<void> {
  assertRoot('ls');
  const kernel = await openKernel('ls');
  try {
    const rows = listRows(kernel);
    if (json) {
      process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
      return;
    }
    if (rows.length === 0) {
      process.stdout.write('no lab is up\n');
      return;
    }
    const cells = rows.map((row) => [
      row.lab,
      row.state,
      String(row.nodes),
      String(row.links),
      row.since === null ? '-' : row.since.slice(0, 19).replace('T', ' '),
      row.file ?? '-',
    ]);
    process.stdout.write(renderTable(['LAB', 'STATE', 'NODES', 'LINKS', 'SINCE (UTC)', 'FILE'], cells));
  } finally {
    kernel.close();
  }
}

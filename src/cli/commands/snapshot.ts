// `nslab snapshot`: the topology file of what is there.

import { writeFileSync } from 'node:fs';
import { NslabError } from '../../base/error.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { type SnapshotFile, takeSnapshot } from '../../lab/snapshot.ts';
import { count } from '../output/count.ts';
import { visible } from '../output/visible.ts';

type Args = { names?: string[]; pid?: string[]; name?: string; output?: string; json: boolean };

export async function run({ names = [], pid, name, output, json }: Args): Promise<void> {
  assertRoot('snapshot');
  const taken = takeSnapshot({ names, pids: pid, name });
  const { lab, file, notes, text, refused } = taken;
  const untold = Object.fromEntries(notes);
  const shown = json ? `${JSON.stringify({ lab: lab.name, file, notes: untold, refused }, null, 2)}\n` : text;
  if (output === undefined || output === '-') process.stdout.write(shown);
  else writeTo(output, shown);
  if (!json) printRest(taken);
  if (output !== undefined && output !== '-') {
    const nodes = lab.nodes.filter((node) => node.place !== null).length;
    process.stderr.write(`${output}: ${count(nodes, 'node')}, ${count(lab.links.length, 'link')}\n`);
  }
}

/** With a key in it, it is for its owner alone. */
function writeTo(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: /\bprivate_key\b|\bpreshared_key\b/.test(text) ? 0o600 : 0o666 });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new NslabError('USAGE', `${path} cannot be written: ${code}`, { cause: error });
  }
}

function printRest({ notes, refused }: SnapshotFile): void {
  for (const [node, lines] of notes) {
    for (const line of lines)
      process.stderr.write(`note: ${visible(`${node}: ${line.split('\n')[0] ?? ''}`)}\n`);
  }
  for (const message of refused)
    process.stderr.write(`warning: up refuses it as it is: ${visible(message)}\n`);
}

// `nslab rm`: containers of `run` and `create`, with their files. And what a monitor runs for `--rm`.

import { parseFault } from '../../apply/fault.ts';
import { NslabError } from '../../base/error.ts';
import type { LabName } from '../../base/names.ts';
import { clearIdleDefault } from '../../lab/default-network.ts';
import { assertRoot, openKernel } from '../../lab/kernel.ts';
import { labToRemove, removeContainer, removeEnded } from '../../lab/remove.ts';

type Args = { nodes: string[]; lab?: string; force: boolean };

export async function run({ nodes, lab, force }: Args): Promise<void> {
  assertRoot('rm');
  const kernel = await openKernel('rm');
  const failed: unknown[] = [];
  try {
    const fault = parseFault(process.env['NSLAB_FAULT']);
    for (const name of nodes) {
      try {
        if (force && isUnknown(name, lab)) continue;
        removeContainer({ name, lab, force, kernel, fault });
        process.stdout.write(`${name}\n`);
      } catch (error) {
        failed.push(error);
      }
    }
    // Also for one that is not there: a `run` that was killed may have come no further.
    clearIdleDefault(kernel);
  } finally {
    kernel.close();
  }
  const [first, ...more] = failed;
  for (const reason of more) {
    if (!(reason instanceof NslabError)) throw reason;
    process.stderr.write(`${reason.message}\n`);
  }
  if (first !== undefined) throw first;
}

/** With -f one that is not there is no error, as with Docker and rm(1). */
function isUnknown(name: string, lab: string | undefined): boolean {
  try {
    labToRemove(name, lab);
    return false;
  } catch (error) {
    if (error instanceof NslabError && error.code === 'CONTAINER_UNKNOWN') return true;
    throw error;
  }
}

/** `nslab _remove LAB`. */
export async function removeAtEnd(lab: string): Promise<void> {
  const kernel = await openKernel('rm');
  try {
    await removeEnded(lab as LabName, kernel);
  } finally {
    kernel.close();
  }
}

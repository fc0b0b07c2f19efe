// A monitored container as the node of a lab, for what `nslab exec` does in it.

import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Monitored, monitored } from './monitored.ts';
import { builtNslab, pinnedLab } from './pinned-lab.ts';

export type Exec = (
  words: readonly string[],
  input?: string,
) => { status: number | null; stdout: string; stderr: string };

/** A container that is a node of a lab, for `nslab exec`. */
export async function inLab(
  body: (all: { container: Monitored; exec: Exec; words: readonly string[] }) => Promise<void> | void,
): Promise<void> {
  using lab = pinnedLab(['web']);
  using container = monitored();
  mkdirSync(join('/run/nslab/labs', lab.lab, 'containers'));
  symlinkSync(container.folder, join('/run/nslab/labs', lab.lab, 'containers/web'));
  const words = [builtNslab(), 'exec', '--lab', lab.lab];
  const exec: Exec = (rest, input = '') => {
    const { status, stdout, stderr } = spawnSync(words[0] ?? '', [...words.slice(1), ...rest], {
      encoding: 'utf8',
      input,
      timeout: 30_000,
    });
    return { status, stdout, stderr };
  };
  await body({ container, exec, words });
}

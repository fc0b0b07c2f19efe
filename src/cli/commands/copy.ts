// `nslab commit`, `cp` and `export`: the files of a container as an image, and in and out.

import { NslabError } from '../../base/error.ts';
import { commitContainer } from '../../lab/commit.ts';
import { type Container, findContainer } from '../../lab/containers.ts';
import { copyIn, copyOut, exportContainer } from '../../lab/copy.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { spinning } from '../output/progress.ts';

type CommitArgs = {
  node: string;
  name: string;
  lab?: string;
  change: string[];
  message?: string;
  author?: string;
  pause: boolean;
};

export async function commit({ node, lab, change, ...options }: CommitArgs): Promise<void> {
  assertRoot('commit');
  const container = findContainer(node, lab);
  const name = await spinning(`committing ${node}`, () =>
    commitContainer(container, { ...options, changes: change }),
  );
  process.stdout.write(`${name}\n`);
}

type CopyArgs = { source: string; target: string; lab?: string };

export async function copy({ source, target, lab }: CopyArgs): Promise<void> {
  assertRoot('cp');
  const from = placeOf(source, lab);
  const to = placeOf(target, lab);
  if ((from === undefined) === (to === undefined)) {
    throw new NslabError('USAGE', 'cp copies from a container or into one', {
      hint: 'nslab cp NODE:PATH FILE, or nslab cp FILE NODE:PATH',
    });
  }
  await spinning('copying', async () => {
    if (from !== undefined) await copyOut(from.container, from.path, target);
    else if (to !== undefined) await copyIn(to.container, source, to.path);
  });
}

type Place = { readonly container: Container; readonly path: string };

/** `NODE:PATH`; what begins as a path is one of the machine's. */
function placeOf(text: string, lab: string | undefined): Place | undefined {
  const [, node, path] = /^([^/.:][^/:]*):(.*)$/s.exec(text) ?? [];
  if (node === undefined) return undefined;
  return {
    container: findContainer(node, lab),
    path: path?.startsWith('/') === true ? path : `/${path ?? ''}`,
  };
}

type ExportArgs = { node: string; lab?: string; output?: string };

export async function exportFiles({ node, lab, output }: ExportArgs): Promise<void> {
  assertRoot('export');
  if (output === undefined && process.stdout.isTTY === true)
    throw new NslabError('USAGE', 'export does not write an archive to a terminal', { hint: '-o FILE' });
  const container = findContainer(node, lab);
  await spinning(`exporting ${node}`, () => exportContainer(container, output === '-' ? undefined : output));
}

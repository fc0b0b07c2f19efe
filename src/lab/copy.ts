// `nslab cp` and `nslab export`: files into and out of a container, as `docker cp` has it. The helper reads and writes them, chrooted
// to the container's root, so no link in there leads out. Which name the copy gets is decided here.

import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { Readable as Reading } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NslabError } from '../base/error.ts';
import { runHelper } from '../image/helper-run.ts';
import { type TarItem, writeTar } from '../image/tar-write.ts';
import { kindInRoot, openRoot, type Root } from '../kernel/container-root.ts';
import { helperPath } from '../kernel/helper.ts';
import { codeOf } from '../sys/errno.ts';
import { readConfig } from './container-config.ts';
import { type Container, stateOf } from './containers.ts';

function rootOf(container: Container): Root {
  const { overlay } = readConfig(container).nslab;
  const state = stateOf(container);
  const lives = state?.status === 'running' || state?.status === 'paused' || state?.status === 'created';
  return openRoot(lives ? state.pid : 0, container.files, overlay);
}

/** All its files but what is mounted, as a tar. Standard output when `output` is absent. */
export async function exportContainer(container: Container, output: string | undefined): Promise<void> {
  using root = rootOf(container);
  await outOf(
    ['_export', root.path],
    container.node,
    output === undefined ? process.stdout : createWriteStream(output),
  );
}

/** A verb of the helper that writes a tar. */
async function outOf(words: readonly string[], what: string, to: Writable): Promise<void> {
  const { stdin, stdout, failure } = runHelper(helperPath(), words, { what });
  stdin.end();
  const broke = await pipeline(stdout, to).then(
    () => undefined,
    (error: unknown) => error,
  );
  const failed = await failure;
  if (failed !== undefined) throw copyError(failed);
  if (broke !== undefined) throw broke;
}

/** Unpacks a tar at a path of a root. */
async function into(root: string, path: string, source: Readable): Promise<void> {
  const { stdin, stdout, failure } = runHelper(helperPath(), ['_tar-in', root, path], { what: path });
  stdout.resume();
  const broke = await pipeline(source, stdin).then(
    () => undefined,
    (error: unknown) => error,
  );
  const failed = await failure;
  if (failed !== undefined) throw copyError(failed);
  if (broke !== undefined) throw broke;
}

/** No image is meant where files are copied. */
function copyError({ message, hint }: NslabError): NslabError {
  return new NslabError('CONTAINER_COPY', message, { hint });
}

/** From one root to the other, through a pipe. */
async function across(
  from: { root: string; path: string },
  to: { root: string; path: string },
): Promise<void> {
  const { stdin, stdout, failure } = runHelper(helperPath(), ['_tar-out', from.root, from.path], {
    what: from.path,
  });
  stdin.end();
  const [sent, failed] = await Promise.all([
    into(to.root, to.path, stdout).then(
      () => undefined,
      (error: unknown) => error,
    ),
    failure,
  ]);
  if (failed !== undefined) throw copyError(failed);
  if (sent !== undefined) throw sent;
}

/** `-` is a tar on standard output. @throws NslabError CONTAINER_COPY */
export async function copyOut(container: Container, path: string, target: string): Promise<void> {
  using root = rootOf(container);
  if (target === '-') return await outOf(['_tar-out', root.path, path], container.node, process.stdout);
  const to = resolve(target);
  const there = kindOf(to);
  const kind = kindInRoot(root.path, path);
  if (kind === undefined) throw new NslabError('CONTAINER_COPY', `${container.node} has no ${path}`);
  if (there === 'folder') return await across({ root: root.path, path }, { root: '/', path: to });
  if (kind === 'folder' && there === 'file')
    throw new NslabError('CONTAINER_COPY', `${target} is a file, and ${path} is a folder`);
  if (target.endsWith('/') && kind === 'file')
    throw new NslabError('CONTAINER_COPY', `there is no folder ${target}`);
  // Under another name: beside it first, and renamed when it is whole.
  const beside = mkdtempSync(join(folderOf(to), `.${basename(to)}.`));
  try {
    await across({ root: root.path, path: path.replace(/\/\.?$/, '') || '/' }, { root: '/', path: beside });
    const [name] = readdirSync(beside);
    if (name !== undefined) renameSync(join(beside, name), to);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

function folderOf(path: string): string {
  const folder = dirname(path);
  if (kindOf(folder) === 'folder') return folder;
  throw new NslabError('CONTAINER_COPY', `there is no folder ${folder}`);
}

function kindOf(path: string): 'folder' | 'file' | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? undefined : stat.isDirectory() ? 'folder' : 'file';
}

/** `-` is a tar on standard input. @throws NslabError CONTAINER_COPY */
export async function copyIn(container: Container, source: string, path: string): Promise<void> {
  using root = rootOf(container);
  const there = kindInRoot(root.path, path);
  if (source === '-') {
    if (there !== 'folder') throw new NslabError('CONTAINER_COPY', `${container.node} has no folder ${path}`);
    return await into(root.path, path, process.stdin);
  }
  const from = resolve(source);
  const kind = kindOf(from);
  if (kind === undefined) throw new NslabError('CONTAINER_COPY', `there is no ${source}`);
  const contents = /(^|\/)\.$/.test(source) && kind === 'folder';
  if (there === 'folder') {
    return await across({ root: '/', path: contents ? `${from}/.` : from }, { root: root.path, path });
  }
  if (kind === 'folder' && there === 'file')
    throw new NslabError('CONTAINER_COPY', `${path} is a file, and ${source} is a folder`);
  if (kind === 'file' && path.endsWith('/'))
    throw new NslabError('CONTAINER_COPY', `${container.node} has no folder ${path}`);
  const parent = dirname(path);
  if (kindInRoot(root.path, parent) !== 'folder')
    throw new NslabError('CONTAINER_COPY', `${container.node} has no folder ${parent}`);
  await into(root.path, parent, Reading.from(writeTar([renamed(from, basename(path))])));
  if (kind === 'folder') await across({ root: '/', path: `${from}/.` }, { root: root.path, path });
}

/** The file or the empty folder under another name. */
function renamed(from: string, path: string): TarItem {
  try {
    const { mode, size, mtimeMs } = statSync(from);
    const seconds = Math.floor(mtimeMs / 1000);
    if (kindOf(from) === 'folder') return { path, folder: true, mode: mode & 0o7777 };
    return { path, size, mode: mode & 0o7777, seconds, body: () => createReadStream(from) };
  } catch (error) {
    throw new NslabError('CONTAINER_COPY', `cannot read ${from}: ${codeOf(error)}`, { cause: error });
  }
}

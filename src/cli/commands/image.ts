// `nslab image VERB`: what was done goes to standard output, one line each; progress to standard error.

import { NslabError } from '../../base/error.ts';
import { buildBaseImage, importTar, loadImages, saveImages } from '../../lab/image-archives.ts';
import {
  type Garbage,
  imageDetails,
  imageHistory,
  imageRows,
  imageTitle,
  nameOf,
  openStore,
  pruneImages,
  removeImages,
  tagImage,
} from '../../lab/images.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { bytesText } from '../output/bytes.ts';
import { spinning } from '../output/progress.ts';
import { renderTable } from '../output/table.ts';
import { visible } from '../output/visible.ts';

type Args = {
  image: string;
  images: string[];
  input?: string;
  name: string;
  output?: string;
  format: 'docker' | 'oci';
  platform?: string;
  change: string[];
  message?: string;
  json: boolean;
  quiet: boolean;
  force: boolean;
  all: boolean;
};

export async function run(verb: string, args: Args): Promise<void> {
  assertRoot(`image ${verb}`);
  const verbOf = verbs[verb];
  if (verbOf === undefined) throw new Error(`image ${verb} was declared and is not there`);
  await verbOf(args);
}

const verbs: Readonly<Record<string, (args: Args) => void | Promise<void>>> = {
  ls,
  load,
  save,
  import: importImage,
  'build-base': async ({ name }) =>
    print(await spinning('building', () => buildBaseImage(openStore(), name))),
  tag: async ({ image, name }) => await tagImage(openStore(), image, name),
  rm,
  history,
  inspect: ({ image }) => printJson(imageDetails(openStore(), image)),
  prune,
};

function print(line: string): void {
  process.stdout.write(`${visible(line)}\n`);
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

function ls({ json, quiet }: Args): void {
  const rows = imageRows(openStore());
  if (json) {
    printJson(rows);
    return;
  }
  if (quiet) {
    for (const id of new Set(rows.map((row) => row.id))) print(id);
    return;
  }
  if (rows.length === 0) {
    print('no image is in the store');
    return;
  }
  const cells = rows.map(({ name, id, platform, created, bytes }) => [
    name,
    id.slice('sha256:'.length).slice(0, 12),
    platform,
    dayOf(created),
    bytesText(bytes),
  ]);
  process.stdout.write(renderTable(['NAME', 'ID', 'PLATFORM', 'CREATED', 'SIZE'], cells));
}

function dayOf(time: string | null): string {
  return time === null ? '-' : time.slice(0, 10);
}

async function load({ input, name, platform, quiet }: Args): Promise<void> {
  const path = input ?? '-';
  if (path === '-' && process.stdin.isTTY === true)
    throw new NslabError('USAGE', 'load wants an archive', {
      hint: 'nslab image load FILE, or one on standard input',
    });
  const stop = stopOnSignals();
  const loaded = await loadImages(openStore(), {
    input: path,
    platform,
    name,
    signal: stop.signal,
    onLayer: ({ digest, size, made }) => {
      if (quiet || process.stderr.isTTY !== true) return;
      process.stderr.write(`${digest.slice(7, 19)} ${bytesText(size)}${made ? '' : ' is there already'}\n`);
    },
  });
  stop.off();
  for (const { image, names } of loaded)
    for (const reference of names) print(`loaded ${nameOf(reference)} ${imageTitle(image)}`);
}

async function save({ images, output, format }: Args): Promise<void> {
  if (output === undefined && process.stdout.isTTY === true)
    throw new NslabError('USAGE', 'save does not write an archive to a terminal', { hint: '-o FILE' });
  await spinning('saving', () =>
    saveImages(openStore(), {
      images,
      format,
      ...(output === undefined || output === '-' ? {} : { output }),
    }),
  );
}

async function importImage({ input, name, change, message, platform }: Args): Promise<void> {
  const stop = stopOnSignals();
  const options = { input: input ?? '-', name, changes: change, message, platform, signal: stop.signal };
  print(await spinning('importing', () => importTar(openStore(), options)));
  stop.off();
}

async function rm({ images, force }: Args): Promise<void> {
  const { names, garbage } = await removeImages(openStore(), images, { force });
  for (const name of names) print(`removed ${name}`);
  if (garbage === undefined)
    process.stderr.write(
      'another nslab process is adding to the store: nslab image prune removes the files later\n',
    );
  else printGarbage(garbage);
}

async function prune({ all, json }: Args): Promise<void> {
  const { names, garbage } = await pruneImages(openStore(), { all });
  if (json) {
    printJson({ names, ...garbage });
    return;
  }
  for (const name of names) print(`removed ${name}`);
  if (garbage !== undefined) printGarbage(garbage);
}

function printGarbage({ blobs, layers, bytes }: Garbage): void {
  if (blobs + layers > 0) print(`removed ${blobs} blobs and ${layers} layers, ${bytesText(bytes)}`);
}

function history({ image, json }: Args): void {
  const rows = imageHistory(openStore(), image);
  if (json) {
    printJson(rows);
    return;
  }
  const cells = rows.map(({ created, createdBy, bytes, comment }) => [
    dayOf(created),
    createdBy.length > 60 ? `${createdBy.slice(0, 57)}...` : createdBy,
    bytesText(bytes),
    comment,
  ]);
  process.stdout.write(renderTable(['CREATED', 'CREATED BY', 'SIZE', 'COMMENT'], cells));
}

type Stop = { readonly signal: AbortSignal; readonly off: () => void };

/** What is half done is taken away before the process ends. */
function stopOnSignals(): Stop {
  const stop = new AbortController();
  const interrupt = (): void =>
    stop.abort(new NslabError('INTERRUPTED', 'interrupted, and the store is as it was'));
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  return { signal: stop.signal, off: () => void process.off('SIGINT', interrupt).off('SIGTERM', interrupt) };
}

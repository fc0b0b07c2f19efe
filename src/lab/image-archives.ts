// Images in and out of the store as files: load, save, import, build-base.

import {
  closeSync,
  createReadStream,
  createWriteStream,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { NslabError } from '../base/error.ts';
import { FolderArchive, TarArchive } from '../image/archive.ts';
import { buildBase } from '../image/base.ts';
import { findImage, mustReference } from '../image/find.ts';
import { importImage } from '../image/import.ts';
import { type LayerEvent, type LoadedImage, loadArchive } from '../image/load.ts';
import type { Platform } from '../image/manifest.ts';
import { hostPlatform, parsePlatform } from '../image/platform.ts';
import { familiarName, fullName, type Reference } from '../image/reference.ts';
import {
  type ArchiveFormat,
  archiveFiles,
  type SavedImage,
  writeArchive,
  writeLayout,
} from '../image/save.ts';
import type { ImageStore } from '../image/store.ts';
import { codeOf } from '../sys/errno.ts';

/** A file, or standard input where that is `-`. @throws NslabError IMAGE_FORMAT when it is not there */
function openSource(path: string): Readable {
  if (path === '-') return process.stdin;
  try {
    return createReadStream('', { fd: openSync(path, 'r'), highWaterMark: 1 << 20 });
  } catch (error) {
    throw new NslabError('IMAGE_FORMAT', `cannot read ${path}: ${codeOf(error)}`, { cause: error });
  }
}

/** @throws NslabError USAGE */
export function platformOption(text: string | undefined): Platform | undefined {
  if (text === undefined) return undefined;
  const parsed = parsePlatform(text);
  if (parsed.ok) return parsed.value;
  throw new NslabError('USAGE', `--platform ${JSON.stringify(text)} ${parsed.error}`);
}

export type LoadOptions = {
  /** A file, a folder, or `-`. */
  readonly input: string;
  readonly platform?: string | undefined;
  readonly name?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onLayer?: (layer: LayerEvent) => void;
};

/** @throws NslabError IMAGE_... */
export async function loadImages(store: ImageStore, options: LoadOptions): Promise<LoadedImage[]> {
  const { input, signal, onLayer } = options;
  const request = {
    platform: platformOption(options.platform),
    name: options.name === undefined ? undefined : mustReference(options.name),
    defaultName: defaultName(input),
    signal,
    onLayer,
  };
  using _share = await store.share(signal);
  const isFolder = input !== '-' && statSync(input, { throwIfNoEntry: false })?.isDirectory() === true;
  using archive = isFolder
    ? new FolderArchive(store, input)
    : await TarArchive.read(store, openSource(input), {
        what: input === '-' ? 'standard input' : input,
        signal,
      });
  return await loadArchive(store, archive, request);
}

/** `web` for ./web.tar.gz: an archive that says only a tag is named as its file. */
function defaultName(input: string): string | undefined {
  if (input === '-') return undefined;
  const name = basename(input)
    .toLowerCase()
    .replace(/\.(tar|tgz|tar\.gz|tar\.zst|oci)$/, '');
  return name === '' || name === '.' ? undefined : name;
}

export type SaveOptions = {
  readonly images: readonly string[];
  readonly format: ArchiveFormat;
  /** A file; of the format oci a folder as well, which ends with `/` where it is not there yet. Standard output when absent. */
  readonly output?: string | undefined;
};

/** @throws NslabError IMAGE_UNKNOWN, IMAGE_FORMAT */
export async function saveImages(store: ImageStore, { images, format, output }: SaveOptions): Promise<void> {
  using _share = await store.share();
  const files = archiveFiles(store, collectNames(store, images), format);
  if (output === undefined) {
    await writeArchive(files, process.stdout);
    return;
  }
  if (output.endsWith('/') || statSync(output, { throwIfNoEntry: false })?.isDirectory() === true) {
    if (format !== 'oci') throw new NslabError('USAGE', 'only --format oci can be a folder');
    await writeLayout(files, output);
    return;
  }
  await writeAside(output, (path) => writeArchive(files, createWriteStream(path, { mode: 0o644 })));
}

/** The file is there when it is whole. Something that is no file, as /dev/stdout, is written as it is. */
async function writeAside(output: string, write: (path: string) => Promise<void>): Promise<void> {
  if (statSync(output, { throwIfNoEntry: false })?.isFile() === false) return await write(output);
  const beside = `${output}.${process.pid}.part`;
  try {
    closeSync(openSync(beside, 'wx'));
    await write(beside);
    renameSync(beside, output);
  } catch (error) {
    rmSync(beside, { force: true });
    if (error instanceof NslabError || codeOf(error) === '') throw error;
    throw new NslabError('IMAGE_STORE', `cannot write ${output}: ${codeOf(error)}`, { cause: error });
  }
}

/** One image of several names is one; an id brings all names that its image has. */
function collectNames(store: ImageStore, texts: readonly string[]): SavedImage[] {
  const found = new Map<string, SavedImage>();
  for (const text of texts) {
    const { manifest, name } = findImage(store, text);
    const names =
      name === undefined
        ? store.listNames().flatMap((one) => (one.manifest === manifest ? [one.reference] : []))
        : [name.reference];
    const before = found.get(manifest)?.names ?? [];
    const known = new Set(before.map(fullName));
    found.set(manifest, {
      digest: manifest,
      names: [...before, ...names.filter((one) => !known.has(fullName(one)))],
    });
  }
  return [...found.values()];
}

export type ImportOptions = {
  readonly input: string;
  readonly name: string;
  readonly changes: readonly string[];
  readonly message?: string | undefined;
  readonly platform?: string | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Returns the name. @throws NslabError IMAGE_... */
export async function importTar(store: ImageStore, options: ImportOptions): Promise<string> {
  const { input, changes, message, platform, signal } = options;
  const reference = tagged(options.name);
  using _share = await store.share(signal);
  const manifest = await importImage(store, {
    source: openSource(input),
    what: input === '-' ? 'standard input' : input,
    changes,
    platform: platformOption(platform) ?? hostPlatform(),
    created: new Date().toISOString(),
    createdBy: `nslab image import ${input}`,
    comment: message,
    signal,
  });
  store.setReference(reference, manifest);
  return familiarName(reference);
}

/** Returns the name. @throws NslabError IMAGE_NO_BUSYBOX */
export async function buildBaseImage(store: ImageStore, name: string): Promise<string> {
  const reference = tagged(name);
  using _share = await store.share();
  store.setReference(reference, await buildBase(store));
  return familiarName(reference);
}

/** A name to give. @throws NslabError IMAGE_REFERENCE */
export function tagged(text: string): Reference {
  const reference = mustReference(text);
  if (reference.digest === undefined) return reference;
  throw new NslabError('IMAGE_REFERENCE', `${text}: a digest is what an image is, not a name to give it`);
}

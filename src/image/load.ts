// Loads images from an archive into the store. OCI image layout: image-spec image-layout.md. `docker save`: manifest.json and, by its
// age, folders with layer.tar (before 25) or an OCI layout beside it; before 1.10 neither (load-v1.ts); moby's image/tarexport/load.go reads all.

import { NslabError } from '../base/error.ts';
import { type Archive, type Blob, blobPath } from './archive.ts';
import { packingOf } from './decompress.ts';
import { chainIds, type Digest, digestOf, digestOfHex } from './digest.ts';
import { brokenError } from './failure.ts';
import { configOfV1, type ImageV1, readImagesV1 } from './load-v1.ts';
import {
  type Descriptor,
  type IndexEntry,
  MAX_CONFIG,
  MAX_MANIFEST,
  type Manifest,
  type Platform,
  parseConfig,
  parseDockerList,
  parseDocument,
} from './manifest.ts';
import { OCI_CONFIG, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_MANIFEST } from './media-types.ts';
import { inParallel, LAYERS_AT_ONCE } from './parallel.ts';
import { chooseEntry, platformText, suits } from './platform.ts';
import { parseReference, type Reference } from './reference.ts';
import type { Image, ImageStore } from './store.ts';

export type LoadRequest = {
  /** The machine's own when absent, and any other where there is but one. */
  readonly platform?: Platform | undefined;
  /** Instead of the names in the archive, which may have none. */
  readonly name?: Reference | undefined;
  /** For names of which the archive has only the tag. */
  readonly defaultName?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onLayer?: ((layer: LayerEvent) => void) | undefined;
};

export type LayerEvent = { readonly digest: Digest; readonly size: number; readonly made: boolean };

export type LoadedImage = { readonly image: Image; readonly names: readonly Reference[] };

/** @throws NslabError IMAGE_FORMAT, IMAGE_BROKEN, IMAGE_PLATFORM, IMAGE_LAYER, IMAGE_STORE */
export async function loadArchive(
  store: ImageStore,
  archive: Archive,
  request: LoadRequest,
): Promise<LoadedImage[]> {
  const found = findImages(archive, request);
  if (request.name !== undefined && found.length > 1)
    throw new NslabError(
      'IMAGE_FORMAT',
      `${archive.what} has ${found.length} images, which cannot all have one name`,
    );
  const loaded: LoadedImage[] = [];
  for (const one of found) {
    const names = request.name === undefined ? one.names : [request.name];
    if (names.length === 0)
      throw new NslabError('IMAGE_FORMAT', `${archive.what} says no name for the image in it`, {
        hint: '--name NAME',
      });
    const digest = await one.store(store);
    for (const name of names) store.setReference(name, digest, one.index);
    loaded.push({ image: store.readImage(digest), names });
  }
  return loaded;
}

type Found = {
  readonly names: readonly Reference[];
  /** The index that it is one of, when that has a digest. */
  readonly index?: Digest;
  /** Puts all of it into the store and unpacks its layers. Gives the digest of its manifest. */
  readonly store: (store: ImageStore) => Promise<Digest>;
};

function findImages(archive: Archive, request: LoadRequest): Found[] {
  const index = archive.read('index.json', MAX_MANIFEST);
  const dockers = readDockers(archive);
  if (index !== undefined) {
    checkLayout(archive);
    return imagesOfLayout(archive, { index, dockers, request });
  }
  if (dockers.length > 0) return dockers.map((image) => ofDocker(archive, image, request));
  const old = readImagesV1(archive);
  if (old.length > 0) return old.map((image) => ofImageV1(archive, image, request));
  throw new NslabError(
    'IMAGE_FORMAT',
    `${archive.what} is neither an OCI image layout nor an archive of docker save`,
    {
      hint: 'nslab image import makes an image of a plain tar of files',
    },
  );
}

function checkLayout(archive: Archive): void {
  const text = archive.read('oci-layout', 4096);
  // Old ones of buildah have none.
  if (text === undefined) return;
  const version = /"imageLayoutVersion"\s*:\s*"([^"]*)"/.exec(text.toString('utf8'))?.[1];
  if (version?.startsWith('1.') !== true)
    throw new NslabError(
      'IMAGE_FORMAT',
      `${archive.what} is an OCI layout of the version ${version ?? '(none)'}`,
    );
}

const REF_NAME = 'org.opencontainers.image.ref.name';
const CONTAINERD_NAME = 'io.containerd.image.name';

type Layout = {
  readonly index: Buffer;
  readonly dockers: readonly DockerImage[];
  readonly request: LoadRequest;
};

function imagesOfLayout(archive: Archive, { index, dockers, request }: Layout): Found[] {
  const document = parseDocument(index, { what: `${archive.what}: index.json` });
  if (document.kind !== 'index') throw brokenError(archive.what, 'index.json is a manifest');
  const images = document.index.manifests.filter(({ platform }) => platform?.os !== 'unknown');
  const found = new Map<string, IndexEntry[]>();
  for (const entry of images) {
    const name = entry.annotations?.[CONTAINERD_NAME] ?? entry.annotations?.[REF_NAME] ?? '';
    found.set(name, [...(found.get(name) ?? []), entry]);
  }
  if (found.size === 0) throw brokenError(archive.what, 'has no image');
  // One image may have several names, and one name an image for each platform.
  const byDigest = new Map<Digest, Found>();
  for (const [name, entries] of found) {
    const entry = choose(entries, archive, request);
    const before = byDigest.get(entry.digest);
    const image = before ?? ofManifest(archive, { entry, dockers, request });
    const named = namesOf(name, request);
    byDigest.set(entry.digest, { ...image, names: unique([...image.names, ...named]) });
  }
  return [...byDigest.values()];
}

function choose(entries: readonly IndexEntry[], archive: Archive, { platform }: LoadRequest): IndexEntry {
  const [only, second] = entries;
  if (only !== undefined && second === undefined) return only;
  return chooseEntry(entries, { what: archive.what, wanted: platform });
}

/** `web:1` and `host/web` are names; a word alone is a tag, of what the file is called. */
function namesOf(text: string, { defaultName }: LoadRequest): Reference[] {
  if (text === '' || !/[:/@]/.test(text)) {
    if (defaultName === undefined) return [];
    const parsed = parseReference(text === '' ? defaultName : `${defaultName}:${text}`);
    return parsed.ok ? [parsed.value] : [];
  }
  const parsed = parseReference(text);
  if (!parsed.ok) throw brokenError(JSON.stringify(text), parsed.error);
  return [parsed.value];
}

function unique(names: readonly Reference[]): Reference[] {
  return [...new Map(names.map((name) => [JSON.stringify(name), name])).values()];
}

type Entry = {
  readonly entry: Descriptor;
  readonly dockers: readonly DockerImage[];
  readonly request: LoadRequest;
};

/** The image behind a descriptor, which may be an index of images for several platforms. */
function ofManifest(archive: Archive, { entry, dockers, request }: Entry): Found {
  const bytes = readDescribed(archive, entry, MAX_MANIFEST);
  const document = parseDocument(bytes, { what: entry.digest, mediaType: entry.mediaType });
  if (document.kind === 'index') {
    const inner = choose(
      document.index.manifests.filter(({ platform }) => platform?.os !== 'unknown'),
      archive,
      request,
    );
    const image = ofManifest(archive, { entry: inner, dockers, request });
    return {
      ...image,
      index: entry.digest,
      store: async (store) => {
        store.putBlob(bytes);
        return await image.store(store);
      },
    };
  }
  const { manifest } = document;
  return {
    names: dockers.filter(({ digest }) => digest === manifest.config.digest).flatMap(({ names }) => names),
    store: async (store) => {
      const config = readDescribed(archive, manifest.config, MAX_CONFIG);
      await storeImage(store, {
        manifest,
        config,
        archive,
        request,
        paths: manifest.layers.map(({ digest }) => blobPath(digest)),
      });
      return store.putBlob(bytes);
    },
  };
}

function readDescribed(archive: Archive, { digest, size }: Descriptor, max: number): Buffer {
  const bytes = archive.read(blobPath(digest), max);
  if (bytes === undefined) throw brokenError(archive.what, `lacks ${digest}`);
  if (bytes.length !== size || digestOf(bytes) !== digest)
    throw brokenError(`${archive.what}: ${digest}`, 'has not the digest and size that it should have');
  return bytes;
}

type Parts = {
  readonly manifest: Manifest;
  readonly config: Buffer;
  readonly archive: Archive;
  readonly request: LoadRequest;
  /** Of the layers, in the archive. */
  readonly paths: readonly string[];
};

/** Everything but the manifest. */
async function storeImage(
  store: ImageStore,
  { manifest, config, archive, request, paths }: Parts,
): Promise<void> {
  const { rootfs, ...platform } = parseConfig(config, {
    what: manifest.config.digest,
    layers: manifest.layers.length,
  });
  const wanted = request.platform;
  if (wanted !== undefined && !suits(platform, wanted))
    throw new NslabError(
      'IMAGE_PLATFORM',
      `${archive.what} is for ${platformText(platform)}, not for ${platformText(wanted)}`,
    );
  store.putBlob(config);
  const chain = chainIds(rootfs.diff_ids);
  await inParallel(
    manifest.layers,
    { limit: LAYERS_AT_ONCE, signal: request.signal },
    async (descriptor, at, signal) => {
      await archive.keep(paths[at] ?? '', descriptor);
      const diffId = rootfs.diff_ids[at];
      if (diffId === undefined) throw new Error('parseConfig() compared the two');
      const { made } = await store.ensureLayer({ descriptor, diffId, parent: chain[at - 1], signal });
      request.onLayer?.({ digest: descriptor.digest, size: descriptor.size, made });
    },
  );
}

type DockerImage = {
  readonly path: string;
  readonly config: Buffer;
  /** Of the config. */
  readonly digest: Digest;
  readonly names: readonly Reference[];
  readonly layers: readonly string[];
};

function readDockers(archive: Archive): DockerImage[] {
  const list = archive.read('manifest.json', MAX_MANIFEST);
  if (list === undefined) return [];
  return parseDockerList(list, { what: `${archive.what}: manifest.json` }).map((image) => {
    const path = image.Config;
    const config = archive.read(path, MAX_CONFIG);
    if (config === undefined) throw brokenError(archive.what, `lacks ${path}`);
    const digest = digestOf(config);
    assertNamed(archive, path, digest);
    const names = (image.RepoTags ?? []).flatMap((tag) => namesOf(tag, {}));
    return { path, config, digest, names, layers: image.Layers ?? [] };
  });
}

/** A member that is called by a digest has to have it: HEX.json, blobs/sha256/HEX. */
function assertNamed(archive: Archive, path: string, digest: Digest): void {
  const [, hex] = /(?:^|\/)([0-9a-f]{64})(?:\.json|\.tar)?$/.exec(path) ?? [];
  if (hex !== undefined && digestOfHex(hex) !== digest)
    throw brokenError(`${archive.what}: ${path}`, 'has not the digest that is its name');
}

/** Docker's archives have no manifest: one is made, and so is the same each time. */
function ofDocker(archive: Archive, image: DockerImage, request: LoadRequest): Found {
  const { config, digest, names, layers } = image;
  return {
    names: names.length > 0 ? names : namesOf('', request),
    store: async (store) => {
      const kept: Descriptor[] = [];
      for (const path of layers) {
        const blob = await archive.keep(path);
        assertNamed(archive, path, blob.digest);
        kept.push({ mediaType: await layerType(store, blob), digest: blob.digest, size: blob.size });
      }
      const manifest: Manifest = {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: OCI_CONFIG, digest, size: config.length },
        layers: kept,
      };
      await storeImage(store, { manifest, config, archive, request, paths: layers });
      return store.putBlob(Buffer.from(JSON.stringify(manifest)));
    },
  };
}

/** The layers are put into the store first: their digests are what its config is made of. */
function ofImageV1(archive: Archive, image: ImageV1, request: LoadRequest): Found {
  const paths = image.layers.map(({ path }) => path);
  return {
    names: image.names.flatMap((name) => namesOf(name, {})),
    store: async (store) => {
      const kept: Descriptor[] = [];
      for (const path of paths) {
        const blob = await archive.keep(path);
        // What was packed is not what the config would have to name, and nobody ever packed these.
        if ((await layerType(store, blob)) !== OCI_LAYER)
          throw brokenError(`${archive.what}: ${path}`, 'is packed, and those of its age are not');
        kept.push({ mediaType: OCI_LAYER, digest: blob.digest, size: blob.size });
      }
      const config = Buffer.from(
        JSON.stringify(
          configOfV1(
            image,
            kept.map(({ digest }) => digest),
          ),
        ),
      );
      const digest = digestOf(config);
      const manifest: Manifest = {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: OCI_CONFIG, digest, size: config.length },
        layers: kept,
      };
      await storeImage(store, { manifest, config, archive, request, paths });
      return store.putBlob(Buffer.from(JSON.stringify(manifest)));
    },
  };
}

async function layerType(store: ImageStore, { digest }: Blob): Promise<string> {
  for await (const chunk of store.streamBlob(digest)) {
    const packing = packingOf(chunk as Buffer);
    return packing === 'gzip' ? OCI_LAYER_GZIP : packing === 'zstd' ? OCI_LAYER_ZSTD : OCI_LAYER;
  }
  return OCI_LAYER;
}

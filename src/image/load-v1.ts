// Archives of `docker save` before Docker 1.10: an image is a chain of folders, ID/json with the id of its parent and ID/layer.tar,
// and `repositories` tells which id has which name. moby's image/spec v1.md. A config of today is made of it.

import type { Archive } from './archive.ts';
import type { Digest } from './digest.ts';
import { brokenError } from './failure.ts';
import {
  type ImageConfig,
  type LayerV1,
  MAX_CONFIG,
  MAX_LAYERS,
  MAX_MANIFEST,
  parseLayerV1,
  parseRepositories,
} from './manifest.ts';

/** An image of such an archive. */
export type ImageV1 = {
  /** `web:1`, as it was saved. */
  readonly names: readonly string[];
  /** The bottom layer first. */
  readonly layers: readonly { readonly path: string; readonly json: LayerV1 }[];
};

/** The images of the archive; none where it has no `repositories`. @throws NslabError IMAGE_BROKEN */
export function readImagesV1(archive: Archive): ImageV1[] {
  const bytes = archive.read('repositories', MAX_MANIFEST);
  if (bytes === undefined) return [];
  const names = new Map<string, string[]>();
  for (const [name, tags] of Object.entries(
    parseRepositories(bytes, { what: `${archive.what}: repositories` }),
  )) {
    for (const [tag, id] of Object.entries(tags)) names.set(id, [...(names.get(id) ?? []), `${name}:${tag}`]);
  }
  return [...names].map(([id, named]) => ({ names: named, layers: readChain(archive, id) }));
}

function readChain(archive: Archive, top: string): ImageV1['layers'] {
  const layers: { readonly path: string; readonly json: LayerV1 }[] = [];
  for (let id = top; id !== ''; id = layers[0]?.json.parent ?? '') {
    const path = `${id}/json`;
    const bytes = archive.read(path, MAX_CONFIG);
    if (bytes === undefined) throw brokenError(archive.what, `lacks ${path}`);
    const json = parseLayerV1(bytes, { what: `${archive.what}: ${path}` });
    if (json.id !== id) throw brokenError(`${archive.what}: ${path}`, `is that of ${json.id}`);
    layers.unshift({ path: `${id}/layer.tar`, json });
    // A chain that never ends is one, too.
    if (layers.length > MAX_LAYERS) throw brokenError(archive.what, `has more than ${MAX_LAYERS} layers`);
  }
  return layers;
}

/** The config that the image has today. `diffIds` are the digests of its layers, unpacked. */
export function configOfV1({ layers }: ImageV1, diffIds: readonly Digest[]): ImageConfig {
  const top = layers.at(-1)?.json;
  return {
    created: top?.created,
    author: top?.author,
    os: top?.os ?? 'linux',
    architecture: top?.architecture ?? 'amd64',
    config: top?.config,
    rootfs: { type: 'layers', diff_ids: [...diffIds] },
    history: layers.map(({ json }) => ({
      created: json.created,
      created_by: json.container_config?.Cmd?.join(' '),
      author: json.author,
      comment: json.comment,
    })),
  };
}

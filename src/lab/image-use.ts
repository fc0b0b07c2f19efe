// The images that a lab's containers run on, found before anything of the lab is made.

import { existsSync } from 'node:fs';
import { NslabError } from '../base/error.ts';
import { findImage } from '../image/find.ts';
import { familiarName } from '../image/reference.ts';
import { IMAGES_VAR, type ImageStore } from '../image/store.ts';
import type { ContainerImage } from '../model/image-settings.ts';
import type { Lab } from '../model/lab.ts';
import type { Op } from '../plan/op.ts';
import { openStore } from './images.ts';

/** The images that the lab's nodes name, each once. */
function imagesOf(lab: Lab): string[] {
  return [...new Set(lab.nodes.flatMap(({ container }) => container?.image ?? []))];
}

export type ImagesForUse = Disposable & {
  /** The ops, with its image at every container that has one. */
  readonly withImages: (ops: readonly Op[]) => Op[];
};

/**
 * Keeps the store's images where they are until disposed of: by then each container has a file that keeps its own.
 * @throws NslabError IMAGE_UNKNOWN, IMAGE_REFERENCE, IMAGE_BROKEN before anything of the lab is made
 */
export async function useImages(lab: Lab): Promise<ImagesForUse> {
  const names = imagesOf(lab);
  if (names.length === 0) return { withImages: (ops) => [...ops], [Symbol.dispose]: () => undefined };
  if (!existsSync(IMAGES_VAR)) {
    // Whoever asks in vain must not leave an empty store.
    throw new NslabError('IMAGE_UNKNOWN', `there is no image ${names[0]}, nor any other`, {
      hint: 'nslab image build-base makes one of this machine, load and import bring others',
    });
  }
  const store = openStore();
  const share = await store.share();
  try {
    const found = new Map(names.map((name) => [name, readForUse(store, name)]));
    return {
      withImages: (ops) =>
        ops.map((op) => {
          const name = op.kind === 'startContainer' ? op.container.image : undefined;
          const image = name === undefined ? undefined : found.get(name);
          return image === undefined ? op : ({ ...op, image } as Op);
        }),
      [Symbol.dispose]: () => share[Symbol.dispose](),
    };
  } catch (error) {
    share[Symbol.dispose]();
    throw error;
  }
}

function readForUse(store: ImageStore, text: string): ContainerImage {
  const { manifest, name } = findImage(store, text);
  const image = store.assertWhole(manifest);
  return {
    name: name === undefined ? text : familiarName(name.reference),
    manifest,
    layers: image.chain.map((chain) => store.layers.diff(chain)).reverse(),
    settings: image.config.config ?? {},
  };
}

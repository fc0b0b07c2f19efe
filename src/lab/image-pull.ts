// Images that a lab wants and the store has not: they are pulled before anything of the lab is made, and before any lock is taken,
// since that may take minutes.

import { existsSync } from 'node:fs';
import { NslabError } from '../base/error.ts';
import { findImage } from '../image/find.ts';
import { IMAGES_VAR } from '../image/store.ts';
import { openStore } from './images.ts';
import type { WantedImages } from './images-wanted.ts';
import { pullImage, type RegistryEvent } from './registry.ts';

export type BringRequest = {
  readonly images: WantedImages;
  readonly signal: AbortSignal;
  readonly onEvent: (event: BringEvent) => void;
};

export type BringEvent =
  | { readonly type: 'pulling'; readonly name: string; readonly isThere: boolean }
  | { readonly type: 'pulled'; readonly name: string }
  | RegistryEvent;

/**
 * Pulls those of the images that are to be pulled. Returns how many came.
 * @throws NslabError REGISTRY_*, IMAGE_*, INTERRUPTED
 */
export async function bringImages({ images, signal, onEvent }: BringRequest): Promise<number> {
  let came = 0;
  for (const [name, rule] of images) {
    const isThere = rule !== 'never' && hasImage(name);
    if (rule === 'never' || (rule === 'missing' && isThere)) continue;
    onEvent({ type: 'pulling', name, isThere });
    const { isNew } = await pullOrExplain(name, { isThere, signal, onEvent });
    onEvent({ type: 'pulled', name });
    if (isNew) came++;
  }
  return came;
}

/** Whoever asks in vain must not leave an empty store. */
function hasImage(name: string): boolean {
  if (!existsSync(IMAGES_VAR)) return false;
  try {
    findImage(openStore(), name);
    return true;
  } catch (error) {
    if (error instanceof NslabError && error.code === 'IMAGE_UNKNOWN') return false;
    throw error;
  }
}

type PullRequest = Pick<BringRequest, 'signal' | 'onEvent'> & { readonly isThere: boolean };

async function pullOrExplain(name: string, { isThere, signal, onEvent }: PullRequest) {
  try {
    return await pullImage({ name, signal, onEvent });
  } catch (error) {
    if (!(error instanceof NslabError) || error.code === 'INTERRUPTED') throw error;
    const found = isThere
      ? `the image ${name} could not be renewed`
      : `there is no image ${name} here, and it could not be pulled`;
    throw new NslabError(error.code, `${found}: ${error.message}`, {
      hint: isThere
        ? '--pull missing takes the one that is here'
        : (error.hint ?? 'nslab image build-base makes one of this machine, load and import bring others'),
      cause: error,
    });
  }
}

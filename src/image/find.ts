// Which image of the store a text means: a name, or the beginning of an id.

import { NslabError } from '../base/error.ts';
import { didYouMean } from '../base/suggest.ts';
import { type Digest, hexOf, shortDigest } from './digest.ts';
import { familiarName, parseReference, type Reference, repositoryOf } from './reference.ts';
import type { NamedImage } from './references.ts';
import type { ImageStore } from './store.ts';

/** @throws NslabError IMAGE_REFERENCE */
export function mustReference(text: string): Reference {
  const parsed = parseReference(text);
  if (parsed.ok) return parsed.value;
  throw new NslabError('IMAGE_REFERENCE', `${JSON.stringify(text)} ${parsed.error}`);
}

export type FoundImage = {
  readonly manifest: Digest;
  /** The name that was asked for; absent when it was an id. */
  readonly name?: NamedImage;
};

/** The image of a name that the store has. */
export function findByName(store: ImageStore, reference: Reference): NamedImage | undefined {
  const exact = store.references.get(reference);
  if (exact !== undefined || reference.digest === undefined) return exact;
  // It may have come under a tag.
  return store.references
    .list()
    .find(
      ({ reference: other, manifest, index }) =>
        repositoryOf(other) === repositoryOf(reference) &&
        (manifest === reference.digest || index === reference.digest),
    );
}

/**
 * The image of a name or of an id, which is the digest of its config, as Docker has it, or of its manifest.
 * @throws NslabError IMAGE_UNKNOWN, IMAGE_AMBIGUOUS, IMAGE_REFERENCE
 */
export function findImage(store: ImageStore, text: string): FoundImage {
  const parsed = parseReference(text);
  const name = parsed.ok ? findByName(store, parsed.value) : undefined;
  if (name !== undefined) return { manifest: name.manifest, name };
  const found = findById(store, text);
  if (found !== undefined) return { manifest: found };
  const reference = parsed.ok ? parsed.value : mustReference(text);
  const names = store.references.list().map((one) => familiarName(one.reference));
  throw new NslabError('IMAGE_UNKNOWN', `there is no image ${familiarName(reference)}`, {
    hint:
      didYouMean(text, names) ??
      'nslab image ls lists those that are there; pull, load and import bring others',
  });
}

function findById(store: ImageStore, text: string): Digest | undefined {
  const prefix = /^(?:sha256:)?([0-9a-f]{3,64})$/.exec(text)?.[1];
  if (prefix === undefined) return undefined;
  const found = new Set<Digest>();
  for (const { manifest } of store.references.list()) {
    const ids = [manifest, store.readImage(manifest).manifest.config.digest];
    if (ids.some((id) => hexOf(id).startsWith(prefix))) found.add(manifest);
  }
  if (found.size > 1) {
    const ids = [...found].map(shortDigest).join(', ');
    throw new NslabError(
      'IMAGE_AMBIGUOUS',
      `${found.size} images have an id that begins with ${prefix}: ${ids}`,
    );
  }
  return [...found][0];
}

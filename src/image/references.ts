// Names of images: one small file each, called by a hash of the name, because a name has slashes and may be as long as it likes.

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, digestOf, hexOf, isDigest } from './digest.ts';
import { storeError } from './failure.ts';
import { ifThere, replaceFile, syncFolder, uniqueName } from './files.ts';
import { fullName, parseReference, type Reference } from './reference.ts';

export type NamedImage = {
  readonly reference: Reference;
  /** Of the image's manifest. */
  readonly manifest: Digest;
  /** Of the index that it was chosen from. */
  readonly index?: Digest;
  /** When it got the name: RFC 3339, UTC. */
  readonly at: string;
};

export class References {
  readonly #folder: string;
  readonly #unfinished: string;

  constructor(folder: string, unfinished: string) {
    this.#folder = folder;
    this.#unfinished = unfinished;
  }

  /** Where a digest names the image, a tag says nothing more. */
  #path({ tag, digest, ...repository }: Reference): string {
    const name = digest !== undefined ? { digest } : tag !== undefined ? { tag } : {};
    return join(this.#folder, hexOf(digestOf(fullName({ ...repository, ...name }))));
  }

  set(named: NamedImage): void {
    const { reference, manifest, index, at } = named;
    const text = JSON.stringify({ reference: fullName(reference), manifest, index, at });
    try {
      replaceFile(this.#path(reference), text, join(this.#unfinished, uniqueName('ref')));
    } catch (error) {
      throw storeError('cannot write to the store', error);
    }
  }

  get(reference: Reference): NamedImage | undefined {
    return read(this.#path(reference));
  }

  /** False when there was none. */
  remove(reference: Reference): boolean {
    const gone = ifThere(() => {
      rmSync(this.#path(reference));
      return true;
    });
    syncFolder(this.#folder);
    return gone === true;
  }

  /** In the order of their names. */
  list(): NamedImage[] {
    const all = readdirSync(this.#folder).flatMap((name) => read(join(this.#folder, name)) ?? []);
    return all.sort((a, b) => (fullName(a.reference) < fullName(b.reference) ? -1 : 1));
  }
}

/** A file that is none of ours is no name. */
function read(path: string): NamedImage | undefined {
  const text = ifThere(() => readFileSync(path, 'utf8'));
  if (text === undefined) return undefined;
  try {
    const { reference, manifest, index, at } = JSON.parse(text) as Record<string, unknown>;
    const parsed = parseReference(String(reference));
    if (!parsed.ok || typeof manifest !== 'string' || !isDigest(manifest)) return undefined;
    const chosen = typeof index === 'string' && isDigest(index) ? { index } : {};
    return { reference: parsed.value, manifest, ...chosen, at: String(at) };
  } catch {
    return undefined;
  }
}

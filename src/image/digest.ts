// Digests of content, and the ids made of them: image-spec descriptor.md ("Digests"), config.md ("Layer ChainID").

import { createHash } from 'node:crypto';
import { err, ok, type Result } from '../base/result.ts';

declare const brand: unique symbol;

/** `sha256:` and 64 hexadecimal digits in lower case. No other algorithm is in use. */
export type Digest = string & { readonly [brand]: 'Digest' };

const pattern = /^sha256:[0-9a-f]{64}$/;

/** The error is a half sentence that follows the text. */
export function parseDigest(text: string): Result<Digest> {
  if (pattern.test(text)) return ok(text as Digest);
  if (/^sha(384|512):/.test(text)) return err('has an algorithm other than sha256');
  return err('is not sha256: and 64 hexadecimal digits');
}

export function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return digestOfHex(createHash('sha256').update(bytes).digest('hex'));
}

export function digestOfHex(hex: string): Digest {
  return `sha256:${hex}` as Digest;
}

/** The name of a file or folder that a digest stands for. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** What `docker images` shows of one. */
export function shortDigest(digest: Digest): string {
  return hexOf(digest).slice(0, 12);
}

/** The id of a layer on top of those below it. */
export function chainId(parent: Digest | undefined, diffId: Digest): Digest {
  return parent === undefined ? diffId : digestOf(`${parent} ${diffId}`);
}

/** The ids of a whole stack, the bottom one first. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) chain.push(chainId(chain.at(-1), diffId));
  return chain;
}

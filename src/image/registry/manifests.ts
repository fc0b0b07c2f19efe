// The documents of an image in a registry: GET /v2/PATH/manifests/TAG-OR-DIGEST (distribution-spec, "Pulling manifests").

import { type Digest, digestOf } from '../digest.ts';
import { type Document, MAX_MANIFEST, parseDocument } from '../manifest.ts';
import { isOldManifestType, manifestTypes } from '../media-types.ts';
import type { Exchange } from './exchange.ts';
import { Fault } from './fault.ts';
import { readAll } from './http.ts';

export type Fetched = {
  readonly digest: Digest;
  /** Exactly as they came: the digest is of them. */
  readonly bytes: Buffer;
  readonly document: Document;
};

/** What is asked for, and what is known of it already. */
export type WantedDocument = {
  /** A tag, or a digest that the document must have. */
  readonly reference: string;
  readonly digest?: Digest | undefined;
  /** Of an index's entry. */
  readonly size?: number | undefined;
  /** The image, for messages about the document itself. */
  readonly name: string;
};

/** What servers say of a file that they know nothing of. */
const generalTypes = ['application/json', 'application/octet-stream', 'text/plain', 'binary/octet-stream'];

/** @throws Fault; NslabError IMAGE_BROKEN or IMAGE_FORMAT for a document that is none of an image */
export async function fetchDocument(exchange: Exchange, wanted: WantedDocument): Promise<Fetched> {
  const { reference, digest, size, name } = wanted;
  const answer = await exchange.ask({
    method: 'GET',
    to: `manifests/${reference}`,
    headers: { accept: manifestTypes.join(', ') },
    expect: [200],
    what: `the manifest ${reference}`,
  });
  const mediaType = mediaTypeOf(answer.header('content-type'));
  const said = answer.header('docker-content-digest');
  const bytes = await readAll(answer, { max: MAX_MANIFEST, deadlineMs: exchange.documentMs });
  const found = digestOf(bytes);
  if (digest !== undefined && found !== digest)
    throw new Fault('digest', `it sent a manifest with the digest ${found} for ${digest}`);
  if (size !== undefined && bytes.length !== size)
    throw new Fault('digest', `it sent a manifest of ${bytes.length} bytes, and its index says ${size}`);
  if (said?.startsWith('sha256:') && said !== found)
    throw new Fault('digest', `it calls the manifest ${said}, and what it sent is ${found}`);
  const what = `${name}: the manifest from ${exchange.endpoint.name}`;
  return { digest: found, bytes, document: parseDocument(bytes, { what, ...mediaType }) };
}

/** Without its parameters. A server that does not know what it has says nothing here. */
function mediaTypeOf(header: string | undefined): { readonly mediaType?: string } {
  const type = header?.split(';')[0]?.trim().toLowerCase();
  if (type === undefined || type === '' || generalTypes.includes(type)) return {};
  if (manifestTypes.includes(type) || isOldManifestType(type)) return { mediaType: type };
  throw new Fault('answer', `it sent ${JSON.stringify(type.slice(0, 100))} where a manifest was asked for`);
}

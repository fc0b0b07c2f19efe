// The documents of an image as checked data: index, manifest and config (image-spec image-index.md, manifest.md, config.md), and
// Docker's of the same shape. Unknown keys are kept out of the data and never out of the store, which keeps the exact bytes. Pure.

import * as v from 'valibot';
import { NslabError } from '../base/error.ts';
import { type Digest, isDigest } from './digest.ts';
import {
  isConfigType,
  isIndexType,
  isLayerType,
  isManifestType,
  isOldManifestType,
  OCI_INDEX,
  OCI_MANIFEST,
} from './media-types.ts';

/** distribution-spec: what a registry must accept, and no manifest that anybody has seen comes near. */
export const MAX_MANIFEST = 4 << 20;
export const MAX_CONFIG = 8 << 20;
/** Docker's own limit is 125. */
export const MAX_LAYERS = 500;

const text = v.pipe(v.string(), v.maxLength(65536));
const digest = v.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'not a digest');
const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const annotations = v.nullish(v.record(v.string(), v.string()));

const platform = v.object({
  os: text,
  architecture: text,
  variant: v.optional(text),
  'os.version': v.optional(text),
});

const descriptor = v.object({
  mediaType: text,
  digest,
  size,
  urls: v.nullish(v.array(text)),
  annotations,
});

const index = v.object({
  schemaVersion: v.literal(2),
  mediaType: v.optional(text),
  manifests: v.pipe(
    v.array(v.object({ ...descriptor.entries, platform: v.nullish(platform) })),
    v.maxLength(10_000),
  ),
  annotations,
});

const manifest = v.object({
  schemaVersion: v.literal(2),
  mediaType: v.optional(text),
  config: descriptor,
  layers: v.pipe(v.array(descriptor), v.maxLength(MAX_LAYERS)),
  annotations,
});

const strings = v.nullish(v.array(text));
const set = v.nullish(v.record(text, v.unknown()));
const nanoseconds = v.nullish(v.pipe(v.number(), v.minValue(0)));

const healthcheck = v.object({
  Test: strings,
  Interval: nanoseconds,
  Timeout: nanoseconds,
  StartPeriod: nanoseconds,
  StartInterval: nanoseconds,
  Retries: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0))),
});

const settings = v.object({
  User: v.nullish(text),
  ExposedPorts: set,
  Env: strings,
  Entrypoint: strings,
  Cmd: strings,
  Volumes: set,
  WorkingDir: v.nullish(text),
  Labels: v.nullish(v.record(text, text)),
  StopSignal: v.nullish(text),
  Healthcheck: v.nullish(healthcheck),
});

const history = v.object({
  created: v.nullish(text),
  created_by: v.nullish(text),
  author: v.nullish(text),
  comment: v.nullish(text),
  empty_layer: v.nullish(v.boolean()),
});

const config = v.object({
  created: v.nullish(text),
  author: v.nullish(text),
  ...platform.entries,
  config: v.nullish(settings),
  rootfs: v.object({ type: v.literal('layers'), diff_ids: v.pipe(v.array(digest), v.maxLength(MAX_LAYERS)) }),
  history: v.nullish(v.array(history)),
});

export type Platform = v.InferOutput<typeof platform>;
export type Descriptor = v.InferOutput<typeof descriptor>;
export type Index = v.InferOutput<typeof index>;
export type IndexEntry = Index['manifests'][number];
export type Manifest = v.InferOutput<typeof manifest>;
export type Settings = v.InferOutput<typeof settings>;
export type HistoryEntry = v.InferOutput<typeof history>;
export type ImageConfig = v.InferOutput<typeof config>;

/** What stands behind a digest or a tag. */
export type Document =
  | { readonly kind: 'index'; readonly mediaType: string; readonly index: Index }
  | { readonly kind: 'manifest'; readonly mediaType: string; readonly manifest: Manifest };

/** `what` names the document in messages: a digest, a file of an archive. */
type Source = { readonly what: string };

function broken(what: string, why: string): NslabError {
  return new NslabError('IMAGE_BROKEN', `${what}: ${why}`);
}

function parseJson(bytes: Uint8Array, max: number, what: string): unknown {
  if (bytes.length > max) throw broken(what, `has ${bytes.length} bytes, ${max} are allowed`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw broken(what, 'is not JSON');
  }
}

function check<S extends v.GenericSchema>(schema: S, value: unknown, what: string): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = issue.path?.map(({ key }) => String(key)).join('.') ?? '';
  throw broken(what, `${path === '' ? '' : `${path}: `}${issue.message}`);
}

/**
 * An index or a manifest. `mediaType` is what the one who sent it says it is; it must not contradict the document.
 * @throws NslabError IMAGE_BROKEN; IMAGE_FORMAT for Docker's schema 1 and for what is no image
 */
export function parseDocument(bytes: Uint8Array, source: Source & { readonly mediaType?: string }): Document {
  const { what } = source;
  if (source.mediaType !== undefined && isOldManifestType(source.mediaType)) throw oldManifest(what);
  const value = parseJson(bytes, MAX_MANIFEST, what);
  if (typeof value !== 'object' || value === null) throw broken(what, 'is not an object');
  if ('schemaVersion' in value && value.schemaVersion === 1) throw oldManifest(what);
  const isIndex = 'manifests' in value;
  // Two readers would see two images in it: CVE-2021-41190.
  if (isIndex && ('layers' in value || 'config' in value || 'fsLayers' in value))
    throw broken(what, 'is an index and a manifest at once');
  const said = 'mediaType' in value && typeof value.mediaType === 'string' ? value.mediaType : undefined;
  const mediaType = said ?? source.mediaType;
  if (said !== undefined && source.mediaType !== undefined && said !== source.mediaType)
    throw broken(what, `calls itself ${said}, and was called ${source.mediaType}`);
  if (mediaType !== undefined && !(isIndex ? isIndexType : isManifestType)(mediaType))
    throw broken(what, `has the media type ${mediaType}, and is ${isIndex ? 'an index' : 'a manifest'}`);
  if (isIndex) return { kind: 'index', mediaType: mediaType ?? OCI_INDEX, index: check(index, value, what) };
  return { kind: 'manifest', mediaType: mediaType ?? OCI_MANIFEST, manifest: checkManifest(value, what) };
}

function oldManifest(what: string): NslabError {
  return new NslabError(
    'IMAGE_FORMAT',
    `${what}: is a manifest of Docker's schema 1, whose layers cannot be checked`,
  );
}

function checkManifest(value: unknown, what: string): Manifest {
  const checked = check(manifest, value, what);
  const strange = checked.layers.find(({ mediaType }) => !isLayerType(mediaType));
  if (!isConfigType(checked.config.mediaType) || strange !== undefined) {
    const type = strange?.mediaType ?? checked.config.mediaType;
    throw new NslabError(
      'IMAGE_FORMAT',
      `${what}: has a part of the type ${type}, so it is not an image of files`,
    );
  }
  return checked;
}

/** @throws NslabError IMAGE_BROKEN, IMAGE_FORMAT */
export function parseManifest(bytes: Uint8Array, source: Source & { readonly mediaType?: string }): Manifest {
  const document = parseDocument(bytes, source);
  if (document.kind === 'manifest') return document.manifest;
  throw broken(source.what, 'is an index, where a manifest was expected');
}

/**
 * An image's config, which must have as many layers as its manifest.
 * @throws NslabError IMAGE_BROKEN
 */
export function parseConfig(bytes: Uint8Array, source: Source & { readonly layers: number }): ImageConfig {
  const { what, layers } = source;
  const checked = check(config, parseJson(bytes, MAX_CONFIG, what), what);
  const count = checked.rootfs.diff_ids.length;
  if (count !== layers) throw broken(what, `has ${count} layers, and its manifest has ${layers}`);
  return checked;
}

const dockerPath = v.pipe(v.string(), v.maxLength(4096));
const dockerList = v.array(
  v.object({
    Config: dockerPath,
    RepoTags: v.nullish(v.array(v.string())),
    Layers: v.nullish(v.pipe(v.array(dockerPath), v.maxLength(MAX_LAYERS))),
  }),
);

/** manifest.json of a `docker save` archive. @throws NslabError IMAGE_BROKEN */
export function parseDockerList(bytes: Uint8Array, { what }: Source): v.InferOutput<typeof dockerList> {
  return check(dockerList, parseJson(bytes, MAX_MANIFEST, what), what);
}

const repositories = v.record(
  text,
  v.record(text, v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'not an id'))),
);

/** Names, their tags, and the id of the uppermost layer: `repositories` of archives before Docker 1.10. @throws NslabError IMAGE_BROKEN */
export function parseRepositories(bytes: Uint8Array, { what }: Source): v.InferOutput<typeof repositories> {
  return check(repositories, parseJson(bytes, MAX_MANIFEST, what), what);
}

const layerV1 = v.object({
  id: text,
  parent: v.optional(v.nullish(v.pipe(v.string(), v.regex(/^([0-9a-f]{64})?$/, 'not an id')))),
  created: v.nullish(text),
  author: v.nullish(text),
  comment: v.nullish(text),
  os: v.nullish(text),
  architecture: v.nullish(text),
  config: v.nullish(settings),
  container_config: v.nullish(v.object({ Cmd: strings })),
});

export type LayerV1 = v.InferOutput<typeof layerV1>;

/** `ID/json` of such an archive. @throws NslabError IMAGE_BROKEN */
export function parseLayerV1(bytes: Uint8Array, { what }: Source): LayerV1 {
  return check(layerV1, parseJson(bytes, MAX_CONFIG, what), what);
}

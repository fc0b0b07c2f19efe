// The names of images: HOST[:PORT]/PATH[:TAG][@DIGEST], with Docker's defaults for what is left out. distribution-spec ("Pulling
// manifests") has the patterns of path and tag; the host and the defaults are those of distribution/reference.

import { err, ok, type Result } from '../base/result.ts';
import { type Digest, parseDigest } from './digest.ts';

export type Reference = {
  /** `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly host: string;
  /** `library/nginx`. */
  readonly path: string;
  /** Absent only where there is a digest. */
  readonly tag?: string;
  /** Of a manifest or of an index. */
  readonly digest?: Digest;
};

export const DEFAULT_HOST = 'docker.io';
export const DEFAULT_TAG = 'latest';
/** Where Docker's own images are. */
const DEFAULT_FOLDER = 'library/';
const MAX_NAME = 255;

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const pathPattern = new RegExp(`^${component}(?:/${component})*$`);
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
const hostPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[0-9a-fA-F:.]+\\])(?::[0-9]{1,5})?$`);

/** The error is a half sentence that follows the text. */
export function parseReference(text: string): Result<Reference> {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  if (digest !== undefined && !digest.ok) return err(`has a digest that ${digest.error}`);
  const named = splitTag(at < 0 ? text : text.slice(0, at));
  const { host, path } = splitHost(named.name);
  const wrong = wrongPart({ host, path, tag: named.tag });
  if (wrong !== undefined) return err(wrong);
  const tag = named.tag ?? (digest === undefined ? DEFAULT_TAG : undefined);
  return ok({
    host,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest: digest.value }),
  });
}

/** A colon before the last slash is a port's. */
function splitTag(text: string): { readonly name: string; readonly tag?: string } {
  const colon = text.lastIndexOf(':');
  if (colon < 0 || colon < text.lastIndexOf('/')) return { name: text };
  return { name: text.slice(0, colon), tag: text.slice(colon + 1) };
}

/** The first part is a host when it cannot be a folder: it has a dot, a port or a capital, or is localhost. */
function splitHost(name: string): { readonly host: string; readonly path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  const isHost = /[.:A-Z]/.test(first) || first === 'localhost';
  const given = isHost ? { host: first, path: name.slice(slash + 1) } : { host: DEFAULT_HOST, path: name };
  const host = given.host === 'index.docker.io' ? DEFAULT_HOST : given.host;
  const folder = host === DEFAULT_HOST && !given.path.includes('/') ? DEFAULT_FOLDER : '';
  return { host, path: `${folder}${given.path}` };
}

function wrongPart({ host, path, tag }: { host: string; path: string; tag: string | undefined }) {
  if (!hostPattern.test(host)) return `has the host ${JSON.stringify(host)}, which is none`;
  if (path === '' || path === DEFAULT_FOLDER) return 'has no name';
  if (path !== path.toLowerCase()) return 'has capital letters, which only the host and the tag may have';
  if (!pathPattern.test(path))
    return 'may have small letters, digits, single "." and "_", and "-" between them, in parts divided by "/"';
  if (host.length + 1 + path.length > MAX_NAME) return `has more than ${MAX_NAME} characters`;
  if (tag !== undefined && !tagPattern.test(tag))
    return `has the tag ${JSON.stringify(tag)}; a tag has letters, digits, "_", "." and "-", 128 at most`;
  return undefined;
}

/** `docker.io/library/nginx`. */
export function repositoryOf({ host, path }: Reference): string {
  return `${host}/${path}`;
}

/** `docker.io/library/nginx:latest`: the one spelling under which the store knows it. */
export function fullName(reference: Reference): string {
  return `${repositoryOf(reference)}${suffix(reference)}`;
}

/** `nginx:latest`: as short as it can be written. */
export function familiarName(reference: Reference): string {
  return `${familiarRepository(reference)}${suffix(reference)}`;
}

/** `nginx`. */
export function familiarRepository({ host, path }: Reference): string {
  if (host !== DEFAULT_HOST) return `${host}/${path}`;
  const rest = path.startsWith(DEFAULT_FOLDER) ? path.slice(DEFAULT_FOLDER.length) : path;
  // Below library/ there is but one level, and a first part that looks like a host would be read as one.
  const short = rest.includes('/') ? path : rest;
  return splitHost(short).host === DEFAULT_HOST ? short : `${host}/${path}`;
}

function suffix({ tag, digest }: Reference): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

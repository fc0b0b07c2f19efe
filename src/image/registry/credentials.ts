// Who we are for a registry: docker's config.json(5) and containers-auth.json(5), and the credential helpers they name (the
// protocol is docker-credential-helpers'). Read only; login.ts writes. No message made here contains what a file contains: even
// JSON.parse quotes it.

import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { NslabError } from '../../base/error.ts';
import { askHelper } from './credential-helper.ts';

export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** What an OAuth2 token server gave `docker login`; it is exchanged for tokens and never sent to the registry itself. */
  | { readonly kind: 'identityToken'; readonly token: string };

/** Where files are looked for; a part of the environment, so that a test can have its own. */
export type AuthEnvironment = Readonly<Record<string, string | undefined>>;

export type AuthFile = {
  readonly path: string;
  /** It was named by the user, so that it must be there. */
  readonly required: boolean;
};

/** A file of passwords is a few kilobytes. */
const MOST_BYTES = 1 << 20;
/** docker.io has been called so since before there were host names in it. */
const dockerNames = ['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'];

/** The files that may have credentials, the first that knows the registry wins. The order is podman's. */
export function authFiles(environment: AuthEnvironment): AuthFile[] {
  const named = environment['REGISTRY_AUTH_FILE'];
  if (named !== undefined && named !== '') return [{ path: named, required: true }];
  const home = environment['HOME'] ?? homedir();
  const runtime = environment['XDG_RUNTIME_DIR'];
  const uid = process.getuid?.() ?? 0;
  const folders = [
    runtime === undefined || runtime === '' ? `/run/containers/${uid}` : join(runtime, 'containers'),
    join(environment['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'containers'),
  ];
  return [
    ...folders.map((folder) => ({ path: join(folder, 'auth.json'), required: false })),
    { path: dockerConfigFile(environment), required: false },
  ];
}

/** docker's own file, $DOCKER_CONFIG/config.json. */
export function dockerConfigFile(environment: AuthEnvironment): string {
  const folder = environment['DOCKER_CONFIG'] ?? join(environment['HOME'] ?? homedir(), '.docker');
  return join(folder, 'config.json');
}

/** The parts of such a file that are used here. */
export type AuthConfig = {
  readonly auths: Readonly<Record<string, unknown>>;
  readonly credHelpers: Readonly<Record<string, unknown>>;
  readonly credsStore: string | undefined;
};

/** @throws NslabError REGISTRY_CREDENTIALS */
export function readAuthFile({ path, required }: AuthFile): AuthConfig | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if ((code === 'ENOENT' || code === 'ENOTDIR') && !required) return undefined;
    throw unusable(path, `cannot be read: ${code ?? 'no reason given'}`);
  }
  if (text.length > MOST_BYTES) throw unusable(path, 'is too large');
  return parseAuthFile(path, text);
}

function parseAuthFile(path: string, text: string): AuthConfig {
  // An empty file is what `podman logout` may leave.
  const root = text.trim() === '' ? {} : parseObject(text);
  if (root === undefined) throw unusable(path, 'is not a JSON mapping');
  const mapping = (key: string): Readonly<Record<string, unknown>> => {
    const value = root[key] ?? {};
    if (!isMapping(value)) throw unusable(path, `"${key}" is not a mapping`);
    return value;
  };
  const store = root['credsStore'];
  return {
    auths: mapping('auths'),
    credHelpers: mapping('credHelpers'),
    credsStore: typeof store === 'string' && store !== '' ? store : undefined,
  };
}

function unusable(path: string, why: string): NslabError {
  return new NslabError('REGISTRY_CREDENTIALS', `the file of registry passwords ${path} ${why}`);
}

/** JSON.parse quotes the text in its message, so the message ends here. */
function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isMapping(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Credentials for a repository, from the first file that has some. `registry` is a host with its port, `repository` is without it.
 * @throws NslabError REGISTRY_CREDENTIALS
 */
export async function findCredentials(
  registry: string,
  repository: string,
  environment: AuthEnvironment,
): Promise<Credentials | undefined> {
  for (const file of authFiles(environment)) {
    const config = readAuthFile(file);
    const found = config && (await credentialsIn(config, { registry, repository, environment, file }));
    if (found !== undefined) return found;
  }
  return undefined;
}

type Wanted = {
  readonly registry: string;
  readonly repository: string;
  readonly environment: AuthEnvironment;
  readonly file: AuthFile;
};

async function credentialsIn(config: AuthConfig, wanted: Wanted): Promise<Credentials | undefined> {
  const { registry, environment } = wanted;
  const helper = helperFor(config, registry);
  if (helper !== undefined) {
    for (const name of helperNames(registry)) {
      const found = await askHelper(helper, name, environment);
      if (found !== undefined) return found;
    }
    // A helper for one registry is the only one that knows it; docker falls back to the file only for its store of all.
    if (config.credHelpers[registry] !== undefined) return undefined;
  }
  return inAuths(config.auths, wanted);
}

/** The suffix of the program that keeps the passwords for a registry, if one does. */
export function helperFor(config: AuthConfig, registry: string): string | undefined {
  const names = namesOf(registry);
  const own = names.map((name) => config.credHelpers[name]).find((helper) => typeof helper === 'string');
  return typeof own === 'string' && own !== '' ? own : config.credsStore;
}

/** docker keeps docker.io under the address it had ten years ago, others under the host. */
export function helperNames(registry: string): string[] {
  return dockerNames.includes(registry) ? ['https://index.docker.io/v1/', 'docker.io'] : [registry];
}

function namesOf(registry: string): readonly string[] {
  return dockerNames.includes(registry) ? dockerNames : [registry];
}

/** `HOST/a/b`, `HOST/a`, `HOST`: containers-auth.json(5) has credentials for a part of a registry, the longest name counts. */
function inAuths(
  auths: Readonly<Record<string, unknown>>,
  { registry, repository, file }: Wanted,
): Credentials | undefined {
  const entries = new Map(Object.entries(auths).map(([key, entry]) => [normalizedKey(key), entry]));
  const parts = repository.split('/');
  for (let n = parts.length; n >= 0; n--) {
    for (const name of namesOf(registry)) {
      const entry = entries.get([name, ...parts.slice(0, n)].join('/'));
      const found = entry === undefined ? undefined : credentialsOf(entry, file);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** docker writes keys as addresses: `https://index.docker.io/v1/`. */
function normalizedKey(key: string): string {
  return key
    .replace(/^https?:\/\//, '')
    .replace(/\/(v1|v2)?\/?$/, '')
    .toLowerCase();
}

/** An entry without a password is what docker leaves for a registry whose password a helper keeps. */
function credentialsOf(entry: unknown, { path }: AuthFile): Credentials | undefined {
  if (!isMapping(entry)) throw unusable(path, 'has an entry that is not a mapping');
  const { identitytoken, auth, username, password } = entry;
  if (typeof identitytoken === 'string' && identitytoken !== '')
    return { kind: 'identityToken', token: identitytoken };
  if (typeof auth === 'string' && auth !== '') {
    const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
    const colon = text.indexOf(':');
    if (colon <= 0) throw unusable(path, 'has an "auth" that is not base64 of USER:PASSWORD');
    return { kind: 'password', username: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  if (typeof username === 'string' && username !== '' && typeof password === 'string')
    return { kind: 'password', username, password };
  return undefined;
}

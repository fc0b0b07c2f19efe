// Keeping a name and a password for a registry, where docker, podman and skopeo look for them as well: in $REGISTRY_AUTH_FILE or
// docker's config.json, or with the credential helper that this file names. What else is in the file stays as it is.

import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { NslabError } from '../../base/error.ts';
import { type ConnectionOptions, openExchange } from './connection.ts';
import { eraseFromHelper, storeInHelper } from './credential-helper.ts';
import {
  type AuthEnvironment,
  authFiles,
  dockerConfigFile,
  helperFor,
  helperNames,
  readAuthFile,
} from './credentials.ts';
import { asError, Fault } from './fault.ts';
import { upstreamOf } from './hosts.ts';
import { retrying } from './retry.ts';

export type Account = { readonly username: string; readonly password: string };

/**
 * Asks the registry whether it knows them, and keeps them if so. Returns where they are.
 * @throws NslabError REGISTRY_*
 */
export async function login(host: string, account: Account, options: ConnectionOptions): Promise<string> {
  await assertKnown(host, account, options);
  const { environment } = options;
  const path = fileToWrite(environment);
  const helper = helperFor(readAuthFile({ path, required: false }) ?? nothing, host);
  if (helper !== undefined) {
    await storeInHelper(helper, { server: helperName(host), ...account }, environment);
    return `docker-credential-${helper}`;
  }
  const auth = Buffer.from(`${account.username}:${account.password}`).toString('base64');
  change(path, (auths) => ({ ...auths, [helperName(host)]: { auth } }));
  return path;
}

/** Forgets them, everywhere they are looked for. False when nobody knew any. */
export async function logout(host: string, environment: AuthEnvironment): Promise<boolean> {
  const keys = new Set([host, ...helperNames(host)]);
  let found = false;
  for (const { path } of authFiles(environment)) {
    const config = readAuthFile({ path, required: false });
    if (config === undefined) continue;
    const helper = helperFor(config, host);
    if (helper !== undefined) {
      await eraseFromHelper(helper, helperName(host), environment);
      found = true;
    }
    if (!Object.keys(config.auths).some((key) => keys.has(key))) continue;
    change(path, (auths) => Object.fromEntries(Object.entries(auths).filter(([key]) => !keys.has(key))));
    found = true;
  }
  return found;
}

const nothing = { auths: {}, credHelpers: {}, credsStore: undefined };

function helperName(host: string): string {
  return helperNames(host)[0] ?? host;
}

function fileToWrite(environment: AuthEnvironment): string {
  const named = environment['REGISTRY_AUTH_FILE'];
  return named !== undefined && named !== '' ? named : dockerConfigFile(environment);
}

async function assertKnown(host: string, { username, password }: Account, options: ConnectionOptions) {
  const endpoint = upstreamOf({ host, path: '' }, options);
  const credentials = { kind: 'password', username, password } as const;
  const exchange = openExchange(endpoint, undefined, { ...options, credentials });
  try {
    await retrying(options.retry, { signal: options.signal }, async () => {
      const answer = await exchange.ask({
        method: 'GET',
        to: '/',
        expect: [200],
        what: 'the name and the password',
      });
      answer.discard();
    });
  } catch (error) {
    throw error instanceof Fault ? asError(error, { doing: `login ${host}`, host }) : error;
  } finally {
    exchange.close();
  }
}

/** Replaces the file as a whole; it is for nobody but its owner. */
function change(
  path: string,
  edit: (auths: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
): void {
  const { auths } = readAuthFile({ path, required: false }) ?? nothing;
  const beside = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const text = JSON.stringify({ ...readRest(path), auths: edit(auths) }, null, 2);
    writeFileSync(beside, `${text}\n`, { mode: 0o600, flag: 'wx' });
    chmodSync(beside, 0o600);
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw new NslabError('REGISTRY_CREDENTIALS', `${path} cannot be written: ${code}`, { cause: error });
  }
}

function readRest(path: string): Readonly<Record<string, unknown>> {
  try {
    const text = readFileSync(path, 'utf8');
    return text.trim() === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

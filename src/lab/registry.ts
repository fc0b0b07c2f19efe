// The use cases that speak to a registry: an image comes, goes, or somebody says who they are. What the command line and the machine
// say is gathered here; how it is done is image/registry's.

import { NslabError } from '../base/error.ts';
import type { Digest } from '../image/digest.ts';
import { findImage, mustReference } from '../image/find.ts';
import { fullName, parseReference } from '../image/reference.ts';
import type {
  BlobState,
  ConnectionOptions,
  OnTransfer,
  TransferEvent,
} from '../image/registry/connection.ts';
import { readRegistriesFile } from '../image/registry/hosts.ts';
import { type Account, login, logout } from '../image/registry/login.ts';
import { pull } from '../image/registry/pull.ts';
import { push } from '../image/registry/push.ts';
import { defaultRetry } from '../image/registry/retry.ts';
import { platformOption } from './image-archives.ts';
import { openStore } from './images.ts';

export type RegistryRequest = {
  readonly insecure?: boolean | undefined;
  /** Path of a certificate of an authority. */
  readonly ca?: string | undefined;
  readonly mirrors?: readonly string[] | undefined;
  /** Seconds without a byte. */
  readonly timeout?: number | undefined;
  readonly signal: AbortSignal;
};

export type TransferRequest = RegistryRequest & {
  /** As it was typed. */
  readonly name: string;
  readonly onEvent: OnTransfer;
};

/** For the command line, which knows no image. */
export type RegistryEvent = TransferEvent;
export type RegistryBlobState = BlobState;

export type PulledImage = {
  readonly name: string;
  /** Of what the name stands for in the registry: an index, or the manifest. */
  readonly digest: Digest;
  readonly manifest: Digest;
  /** What Docker calls the image's id. */
  readonly id: Digest;
  readonly isNew: boolean;
};

const STALL_S = 30;

/** @throws NslabError REGISTRY_*, IMAGE_*, INTERRUPTED */
export async function pullImage(
  request: TransferRequest & { readonly platform?: string | undefined },
): Promise<PulledImage> {
  const { name, onEvent, platform } = request;
  const { reference, digest, manifest, id, isNew } = await pull(mustReference(name), {
    ...(await connectionOf(request)),
    store: openStore(),
    platform: platformOption(platform),
    onEvent,
  });
  return { name: fullName(reference), digest, manifest, id, isNew };
}

/** @throws NslabError REGISTRY_*, IMAGE_*, INTERRUPTED */
export async function pushImage(
  request: TransferRequest,
): Promise<{ readonly name: string; readonly digest: Digest }> {
  const { name, onEvent } = request;
  const store = openStore();
  // Found by its name, so that it cannot be pushed under the one it does not have: `image tag` gives it that.
  const { manifest, name: named } = findImage(store, name);
  if (named === undefined)
    throw new NslabError('IMAGE_REFERENCE', `push wants the name of an image, and ${name} is an id`, {
      hint: 'nslab image tag gives it the name under which it is pushed',
    });
  const { digest } = await push(named.reference, manifest, {
    ...(await connectionOf(request)),
    store,
    onEvent,
  });
  return { name: fullName(named.reference), digest };
}

/** Returns where the password is kept. @throws NslabError REGISTRY_* */
export async function loginTo(host: string, account: Account, request: RegistryRequest): Promise<string> {
  return await login(hostOf(host), account, await connectionOf(request));
}

/** False when there was nothing to forget. @throws NslabError REGISTRY_CREDENTIALS */
export async function logoutFrom(host: string): Promise<boolean> {
  return await logout(hostOf(host), process.env);
}

/** What is after a slash is no part of it: docker's own address is https://index.docker.io/v1/. */
function hostOf(text: string): string {
  const host = text.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  const parsed = parseReference(`${host}/a/b`);
  // Without a dot or a port it would be a folder of docker.io.
  if (parsed.ok && parsed.value.path === 'a/b') return parsed.value.host;
  throw new NslabError('USAGE', `${JSON.stringify(text)} is no registry`, {
    hint: 'a registry is HOST[:PORT]',
  });
}

async function connectionOf(request: RegistryRequest): Promise<ConnectionOptions> {
  const { insecure = false, ca, mirrors = [], timeout = STALL_S, signal } = request;
  if (!(timeout > 0 && timeout <= 86_400)) throw new NslabError('USAGE', '--timeout wants seconds');
  return {
    settings: await readRegistriesFile(),
    environment: process.env,
    insecure,
    caFile: ca,
    mirrors,
    retry: defaultRetry,
    stallMs: timeout * 1000,
    signal,
  };
}

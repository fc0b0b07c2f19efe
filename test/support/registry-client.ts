// Pulling and pushing in tests: with no patience, and with nothing of this machine's certificates and passwords.

import assert from 'node:assert/strict';
import { NslabError } from '../../src/base/error.ts';
import { parseReference, type Reference } from '../../src/image/reference.ts';
import type { TransferEvent } from '../../src/image/registry/connection.ts';
import { type Pulled, type PullOptions, pull } from '../../src/image/registry/pull.ts';
import { type Pushed, type PushOptions, push } from '../../src/image/registry/push.ts';
import type { RetryPolicy } from '../../src/image/registry/retry.ts';
import type { TestStore } from './image-store.ts';

export const quick: RetryPolicy = { attempts: 4, firstPauseMs: 1, longestPauseMs: 5, longestWaitMs: 2000 };

export function referenceTo(name: string): Reference {
  const parsed = parseReference(name);
  assert.ok(parsed.ok, name);
  return parsed.value;
}

export type Told = { readonly events: TransferEvent[] };

export function optionsFor({ store, folder }: TestStore): PullOptions & Told {
  const events: TransferEvent[] = [];
  return {
    store,
    events,
    onEvent: (event) => events.push(event),
    settings: {},
    environment: { HOME: folder, PATH: `${folder}/bin:/usr/bin:/bin`, XDG_RUNTIME_DIR: `${folder}/run` },
    tls: { folders: [`${folder}/certs.d`], bundles: ['/dev/null'], extraFile: undefined },
    platform: { os: 'linux', architecture: 'amd64' },
    retry: quick,
    // A busy machine is silent for a while without meaning it; tests of silence set their own.
    stallMs: 5000,
    signal: new AbortController().signal,
  };
}

export async function pullFrom(
  store: TestStore,
  name: string,
  more: Partial<PullOptions> = {},
): Promise<Pulled> {
  return await pull(referenceTo(name), { ...optionsFor(store), ...more });
}

export async function pushTo(
  store: TestStore,
  name: string,
  more: Partial<PushOptions> & { readonly manifest?: Pulled['manifest'] } = {},
): Promise<Pushed> {
  const reference = referenceTo(name);
  const manifest = more.manifest ?? store.store.references.get(reference)?.manifest;
  assert.ok(manifest !== undefined, `no image ${name}`);
  return await push(reference, manifest, { ...optionsFor(store), ...more });
}

/** The promise must fail with that code; the message is returned, which must not have any of the words. */
export async function fails(
  code: NslabError['code'],
  doing: Promise<unknown>,
  secrets: readonly string[] = [],
): Promise<string> {
  try {
    await doing;
  } catch (error) {
    assert.ok(error instanceof NslabError, `not an expected failure: ${(error as Error).stack}`);
    assert.equal(error.code, code, error.message);
    const text = `${error.message} ${error.hint ?? ''}`;
    for (const secret of secrets) assert.ok(!text.includes(secret), `the secret ${secret} is in: ${text}`);
    return text;
  }
  assert.fail(`did not fail with ${code}`);
}

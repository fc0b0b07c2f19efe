// What pull, push and login have in common: how a registry is reached, and what they tell while they work.

import type { Digest } from '../digest.ts';
import type { Reference } from '../reference.ts';
import { scopeOf } from './authorizer.ts';
import { type AuthEnvironment, type Credentials, findCredentials } from './credentials.ts';
import { Exchange } from './exchange.ts';
import type { Endpoint, EndpointOptions } from './hosts.ts';
import { proxiesOf } from './proxy.ts';
import type { RetryPolicy } from './retry.ts';
import { type TlsSources, tlsSources } from './tls.ts';

export type ConnectionOptions = EndpointOptions & {
  readonly environment: AuthEnvironment;
  /** Instead of those that files and helpers have. */
  readonly credentials?: Credentials;
  /** Where certificates are, but for tests. */
  readonly tls?: TlsSources;
  readonly retry: RetryPolicy;
  /** So long may no byte come. */
  readonly stallMs: number;
  /** So long may a document take: a manifest, a token. */
  readonly documentMs?: number;
  readonly signal: AbortSignal;
};

/** What happens to one blob. `done` and `size` are bytes. */
export type BlobState =
  | { readonly state: 'waiting' }
  /** It was there before: in the store, or for `push` in the registry. */
  | { readonly state: 'there' }
  | { readonly state: 'downloading' | 'uploading'; readonly done: number }
  | { readonly state: 'retrying'; readonly reason: string; readonly pauseMs: number }
  | { readonly state: 'downloaded' | 'unpacking' }
  /** Another repository of the registry had it. */
  | { readonly state: 'mounted'; readonly from: string }
  | { readonly state: 'complete' };

export type TransferEvent =
  | { readonly type: 'note'; readonly text: string }
  /** The manifest is known, and with it what there is to do. */
  | {
      readonly type: 'manifest';
      readonly digest: Digest;
      readonly host: string;
      readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
    }
  | ({ readonly type: 'blob'; readonly digest: Digest; readonly size: number } & BlobState);

export type OnTransfer = (event: TransferEvent) => void;

/** Far more than a manifest takes, over any line. */
const DOCUMENT_MS = 60_000;

/** For one repository of an endpoint. `actions` is what will be done with it; nothing, to ask who we are. */
export function openExchange(
  endpoint: Endpoint,
  actions: 'pull' | 'pull,push' | undefined,
  options: ConnectionOptions,
  also: readonly string[] = [],
): Exchange {
  const {
    environment,
    credentials,
    tls = tlsSources(environment),
    stallMs,
    documentMs = DOCUMENT_MS,
    signal,
  } = options;
  return new Exchange({
    endpoint,
    scopes: actions === undefined ? [] : [scopeOf(endpoint.path, actions), ...also],
    credentials: () =>
      credentials !== undefined && !endpoint.isMirror
        ? Promise.resolve(credentials)
        : findCredentials(endpoint.name, endpoint.path, environment),
    tls,
    proxyOf: proxiesOf(environment),
    stallMs,
    documentMs,
    signal,
  });
}

/** What a manifest is asked for by. */
export function selectorOf({ tag, digest }: Reference): string {
  return digest ?? tag ?? 'latest';
}

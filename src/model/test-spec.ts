// One entry of `tests:`, validated. lab/test-run.ts runs them.

import type { NodeName } from '../base/names.ts';

export type TestProbe =
  | { readonly kind: 'ping'; readonly target: string }
  | { readonly kind: 'tcp'; readonly target: string }
  | { readonly kind: 'udp'; readonly target: string }
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 'run'; readonly command: string };

export type TestSpec = {
  readonly name: string;
  readonly from: NodeName;
  readonly probe: TestProbe;
  readonly expect:
    | 'ok'
    | 'unreachable'
    | { readonly exit?: number; readonly stdout?: string; readonly status?: number };
  /** Milliseconds until which a failing probe is tried again. */
  readonly within: number;
  readonly points: number;
  readonly path: string;
};

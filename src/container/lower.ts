// A runtime configuration as the program that the helper runs, and as the shorter one for `exec`. Pure: what it must know of
// the machine comes in `facts`. What the machine cannot grant is granted as far as it can, with a warning (runtime-spec).

import type { LowerFacts } from './host.ts';
import type { RuntimeSpec } from './runtime-spec.ts';

export type LoweredSpec = {
  /** For RUN/program. */
  readonly program: Uint8Array;
  /** For RUN/exec. */
  readonly exec: Uint8Array;
  readonly warnings: readonly string[];
};

/** @throws NslabError CONTAINER_... for a user that the root file system does not know */
export function lowerSpec(spec: RuntimeSpec, facts: LowerFacts): LoweredSpec {
  throw new Error(`not written yet: ${spec.nslab.node} ${facts.cgroup.oom}`);
}

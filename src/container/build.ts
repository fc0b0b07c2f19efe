// A node of the lab as a configuration of the OCI runtime specification, with Docker's defaults where the file says nothing.
// Pure: what it must know of the machine comes in `host`. Defaults and their sources are in defaults.ts.

import type { BuildHost, ContainerNode } from './host.ts';
import type { RuntimeSpec } from './runtime-spec.ts';

/** @throws NslabError CONTAINER_... where the machine does not have what the file names */
export function buildSpec(node: ContainerNode, host: BuildHost): RuntimeSpec {
  throw new Error(`not written yet: ${node.name} ${host.lab}`);
}

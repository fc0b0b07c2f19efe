// Where the helper is, and the command lines it takes. It is built into the same folder as the bundle.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LabName, NodeName } from '../base/names.ts';

/** dist/nslab-helper, seen from the bundle (dist/nslab.js) or from the sources (src/kernel/helper.ts). */
export function helperPath(): string {
  const beside = join(import.meta.dirname, 'nslab-helper');
  return existsSync(beside) ? beside : join(import.meta.dirname, '../../dist/nslab-helper');
}

/** The command by which a monitor removes a container that has ended (`--rm`): `nslab _remove LAB`. */
export const REMOVE_VERB = '_remove';

/** The command line that runs a command inside a node, as `nslab exec` does. */
export function helperExec(lab: LabName, node: NodeName, argv: readonly string[]): [string, ...string[]] {
  return [helperPath(), 'exec', '--lab', lab, node, '--', ...argv];
}

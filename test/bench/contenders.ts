// Who takes part in the benchmark: for each, the commands that bring a lab up and down, as a user would type them. Every contender
// has its own prefix, so that what is left over names who left it.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ipBatchScripts, ipScripts, type Scripts } from './scripts.ts';
import { type BenchLab, benchLab, type Shape } from './shapes.ts';
import { topologyFile } from './topology-file.ts';

export const contenderNames = ['limit', 'nslab', 'ip-batch', 'ip-script'] as const;
export type ContenderName = (typeof contenderNames)[number];

/** One contender with one lab, ready to run. */
export type Entry = {
  readonly name: ContenderName;
  readonly prefix: string;
  readonly up: readonly string[];
  readonly down: readonly string[];
};

export type Tools = {
  /** Where files may be written. */
  readonly folder: string;
  readonly limit: string;
  readonly nslab: string;
};

/** What the namespaces of a contender's lab begin with. */
export function prefixOf(name: ContenderName): string {
  return `nb-${name}-`;
}

function scriptEntry(name: ContenderName, tools: Tools, scripts: Scripts): Entry {
  const base = join(tools.folder, name);
  writeFileSync(`${base}-up.sh`, scripts.up);
  writeFileSync(`${base}-down.sh`, scripts.down);
  return {
    name,
    prefix: prefixOf(name),
    up: ['sh', `${base}-up.sh`],
    down: ['sh', `${base}-down.sh`],
  };
}

function nslabEntry(tools: Tools, lab: BenchLab): Entry {
  const prefix = prefixOf('nslab');
  const file = join(tools.folder, `${lab.shape}.yaml`);
  writeFileSync(file, topologyFile(lab, prefix));
  return { name: 'nslab', prefix, up: [tools.nslab, 'up', file], down: [tools.nslab, 'down'] };
}

/** Writes the contender's files for the lab (over those of the lab before) and says how it is run. */
export function prepare(name: ContenderName, tools: Tools, lab: { shape: Shape; n: number }): Entry {
  const prefix = prefixOf(name);
  const size = [lab.shape, String(lab.n), '--prefix', prefix];
  switch (name) {
    case 'limit':
      return { name, prefix, up: [tools.limit, 'up', ...size], down: [tools.limit, 'down', ...size] };
    case 'nslab':
      return nslabEntry(tools, benchLab(lab.shape, lab.n));
    case 'ip-batch':
      return scriptEntry(name, tools, ipBatchScripts(benchLab(lab.shape, lab.n), prefix));
    case 'ip-script':
      return scriptEntry(name, tools, ipScripts(benchLab(lab.shape, lab.n), prefix));
  }
}

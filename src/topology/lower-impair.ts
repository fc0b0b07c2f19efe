// What a wire does to packets: texts with units to numbers. The words are tc-netem(8)'s.

import { impairmentReaders } from '../model/impairment.ts';
import type { Impairment } from '../model/lab.ts';
import type { Lowering } from './draft.ts';
import { given } from './given.ts';
import type { Path } from './problems.ts';
import type { LinkFile } from './schema.ts';
import type { EndpointFile, ImpairFile } from './schema-interface.ts';
import { readUnit } from './values.ts';

/** For each end what happens to packets that leave it: the words of the end over those of the link. */
export function lowerImpairs(
  lab: Lowering,
  file: LinkFile,
  path: Path,
): readonly [Impairment | undefined, Impairment | undefined] {
  const isPlain = (end: EndpointFile) => typeof end === 'string' || end.impair === undefined;
  if (file.impair === undefined && file.endpoints.every(isPlain)) return [undefined, undefined];
  const both = file.impair === undefined ? undefined : lowerImpair(lab, file.impair, [...path, 'impair']);
  const end = (index: 0 | 1): Impairment | undefined => {
    const from: EndpointFile | undefined = file.endpoints[index];
    if (from === undefined || typeof from === 'string' || from.impair === undefined) return both;
    return { ...both, ...lowerImpair(lab, from.impair, [...path, 'endpoints', index, 'impair']) };
  };
  return [end(0), end(1)];
}

function lowerImpair(lab: Lowering, file: ImpairFile, path: Path): Impairment {
  const read = (key: keyof typeof impairmentReaders): number | undefined => {
    const value = file[key];
    return value === undefined
      ? undefined
      : readUnit(impairmentReaders[key](value), { report: lab.report, path: [...path, key] });
  };
  if (file.jitter !== undefined && file.delay === undefined) {
    lab.report.add({
      code: 'MISSING_KEY',
      message: '`jitter` varies a `delay`, and there is none',
      path: [...path, 'jitter'],
      part: 'key',
    });
  }
  if (file.reorder !== undefined && file.delay === undefined) {
    lab.report.add({
      code: 'MISSING_KEY',
      message: '`reorder` sends packets before those that wait for `delay`, and there is none',
      path: [...path, 'reorder'],
      part: 'key',
    });
  }
  const keys = Object.keys(impairmentReaders) as (keyof typeof impairmentReaders)[];
  const numbers = Object.fromEntries(keys.map((key) => [key, read(key)])) as Record<
    keyof typeof impairmentReaders,
    number | undefined
  >;
  return given({ ...numbers, limit: file.limit });
}

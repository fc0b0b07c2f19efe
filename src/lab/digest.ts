// Whether two labs are the same: their data, not their files' text, so that a comment or an order of keys changes nothing.

import { createHash } from 'node:crypto';
import type { Lab } from '../model/lab.ts';

/** sha256 in hexadecimal of everything that `up` turns into kernel objects. */
export function digestLab(lab: Lab): string {
  const { tests: _tests, description: _description, ...made } = lab;
  return createHash('sha256').update(JSON.stringify(made, withoutPath)).digest('hex');
}

function withoutPath(key: string, value: unknown): unknown {
  return key === 'path' ? undefined : value;
}

// Which labs `nslab test --all` looks at: those that are up and have tests.

import type { LabName } from '../base/names.ts';
import { listLabs, readLab } from '../state/store.ts';

export function labsWithTests(): LabName[] {
  return listLabs().filter((name) => (readLab(name)?.tests.length ?? 0) > 0);
}

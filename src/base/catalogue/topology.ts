// Errors of the topology page of the catalogue (see entry.ts for what a field means).

import { type CatalogueEntry, exit } from './entry.ts';

export const topologyErrors = {
  FILE_NOT_FOUND: {
    exit: exit.topology,
    explanation:
      'There is no file at the path given, or it is a folder. Check the spelling and the folder you are in.',
  },
} as const satisfies Record<string, CatalogueEntry>;
